//! Any GPU through Vulkan, Metal or DirectX 12.

use burn::backend::wgpu::{RuntimeOptions, WgpuDevice, graphics, init_setup};

use super::{BackendName, device_panic::end_on_device_panic, first_touch::first_touch, no_device};
use crate::error::CliError;

/// Adapters, ready to compute: the best of this machine, or discrete GPUs by their numbers.
///
/// `CUBECL_WGPU_DEFAULT_DEVICE=IntegratedGpu(0)` makes another the best.
///
/// # Errors
/// Where there is none.
pub fn start(numbers: &[usize]) -> Result<Vec<WgpuDevice>, CliError> {
    let devices = if numbers.is_empty() {
        vec![WgpuDevice::default()]
    } else {
        numbers
            .iter()
            .map(|&n| WgpuDevice::DiscreteGpu(n))
            .collect()
    };
    for device in &devices {
        start_one(device)?;
    }
    end_on_device_panic();
    Ok(devices)
}

fn start_one(device: &WgpuDevice) -> Result<(), CliError> {
    let picked = device.clone();
    let adapter = first_touch(move || {
        let setup =
            init_setup::<graphics::AutoGraphicsApi>(&picked, RuntimeOptions::default());
        setup.adapter.get_info()
    })
    .map_err(|cause| {
        let which = match device {
            WgpuDevice::DiscreteGpu(n) => format!("discrete GPU {n} was not found"),
            _ if cause.starts_with("No possible adapter") => "no adapter was found".into(),
            _ => format!("no adapter works ({cause})"),
        };
        no_device(
            BackendName::Wgpu,
            &format!(
                "{which}. It needs a GPU with a Vulkan, Metal or DirectX 12 driver; `vulkaninfo --summary` lists what Vulkan sees. \
                 On Debian and Ubuntu mesa-vulkan-drivers has the drivers of AMD and Intel, and a slow software one."
            ),
        )
    })?;
    let software = format!("{:?}", adapter.device_type) == "Cpu";
    eprintln!(
        "wgpu: {} ({:?}){}",
        adapter.name,
        adapter.backend,
        if software {
            ": a software renderer, for tests. --backend flex is faster"
        } else {
            ""
        }
    );
    Ok(())
}
