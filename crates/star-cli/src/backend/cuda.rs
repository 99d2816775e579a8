//! NVIDIA GPUs. Nothing of CUDA is needed to build; the driver, NVRTC and CUDA's headers are looked for when it runs.

mod system;

use burn::{
    backend::cuda::CudaDevice,
    cubecl::config::{CubeClRuntimeConfig, RuntimeConfig, cache::CacheConfig},
    tensor::Tensor,
};

use self::system::System;
use super::{BackendName, device_panic::end_on_device_panic, first_touch::first_touch, no_device};
use crate::error::CliError;

/// GPUs by their numbers, ready to compute; of none the first that CUDA shows (`CUDA_VISIBLE_DEVICES` picks another).
///
/// # Errors
/// Says everything that is missing at once.
pub fn start(numbers: &[usize]) -> Result<Vec<CudaDevice>, CliError> {
    let numbers = if numbers.is_empty() { &[0] } else { numbers };
    if numbers.len() > 1 {
        system::nccl().map_err(|missing| {
            no_device(
                BackendName::Cuda,
                &format!("{missing}. --devices with one number needs none."),
            )
        })?;
    }
    let mut devices = Vec::with_capacity(numbers.len());
    let mut kernels = None;
    for &number in numbers {
        let system = System::look(number).map_err(|missing| {
            no_device(
                BackendName::Cuda,
                &format!("{}. docs/gpu.md says what to install.", missing.join("; ")),
            )
        })?;
        match &kernels {
            None => {
                keep_compiled_kernels(&system);
                kernels = Some(system.key());
            }
            Some(first) if *first == system.key() => {}
            Some(_) => {
                return Err(CliError::Usage(format!(
                    "--devices: {system} is of another architecture than the GPUs before it; name GPUs of one."
                )));
            }
        }
        devices.push(start_one(number, &system)?);
    }
    end_on_device_panic();
    Ok(devices)
}

fn start_one(number: usize, system: &System) -> Result<CudaDevice, CliError> {
    let device = CudaDevice::new(number);
    let touched = device.clone();
    first_touch(move || Tensor::<burn::backend::Cuda, 1>::ones([1], &touched).into_data())
        .map_err(|cause| {
            no_device(
                BackendName::Cuda,
                &format!(
                    "{system} is there, but the first kernel failed: {cause}. NVRTC must not be newer than what the driver supports."
                ),
            )
        })?;
    eprintln!("cuda: {system}");
    for lack in &system.lacks {
        eprintln!("cuda: {lack}");
    }
    Ok(device)
}

/// Kernels are compiled from source when they are first launched, hundreds of them, which takes minutes: keep them for the next process.
///
/// In a folder for each architecture and compiler, because the cache itself knows neither. A `cubecl.toml` that names a folder is obeyed.
fn keep_compiled_kernels(system: &System) {
    let mut config = CubeClRuntimeConfig::from_current_dir().override_from_env();
    if config.compilation.cache.is_none() {
        let folder = CacheConfig::Target.root().join(system.key());
        config.compilation.cache = Some(CacheConfig::File(folder));
    }
    CubeClRuntimeConfig::set(config);
}
