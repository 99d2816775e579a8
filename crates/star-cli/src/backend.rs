//! The only place that names a concrete backend.

use burn::tensor::backend::AutodiffBackend;
use clap::{Args, ValueEnum};

use crate::error::CliError;

/// Where tensors live.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum BackendName {
    /// CPU, pure Rust. Always there.
    Flex,
    /// CPU, the older Burn backend; a second opinion.
    Ndarray,
    /// Any GPU through Vulkan, Metal or DirectX 12.
    Wgpu,
    /// NVIDIA GPUs; needs the driver and NVRTC when it runs.
    Cuda,
}

/// The `--backend` flag.
#[derive(Clone, Copy, Debug, Args)]
pub struct BackendArgs {
    /// Where to compute
    #[arg(long, value_enum, default_value = "flex")]
    pub backend: BackendName,
}

/// Work that runs on any backend.
pub trait Job {
    type Output;
    fn run<B: AutodiffBackend>(self, device: &B::Device) -> Result<Self::Output, CliError>;
}

/// Runs a job on the backend asked for.
///
/// # Errors
/// A backend that this binary was built without, or whose device is missing; and the job's own.
pub fn run_on<J: Job>(name: BackendName, job: J) -> Result<J::Output, CliError> {
    match name {
        #[cfg(feature = "flex")]
        BackendName::Flex => {
            job.run::<burn::backend::Autodiff<burn::backend::Flex>>(&Default::default())
        }
        #[cfg(feature = "ndarray")]
        BackendName::Ndarray => {
            job.run::<burn::backend::Autodiff<burn::backend::NdArray>>(&Default::default())
        }
        #[cfg(feature = "wgpu")]
        BackendName::Wgpu => {
            start(name, || {
                use burn::backend::wgpu::{RuntimeOptions, WgpuDevice, graphics, init_setup};
                init_setup::<graphics::AutoGraphicsApi>(
                    &WgpuDevice::default(),
                    RuntimeOptions::default(),
                );
            })?;
            job.run::<burn::backend::Autodiff<burn::backend::Wgpu>>(&Default::default())
        }
        #[cfg(feature = "cuda")]
        BackendName::Cuda => {
            start(name, || {
                let device = Default::default();
                let one = burn::tensor::Tensor::<burn::backend::Cuda, 1>::ones([1], &device);
                let _ = one.into_data();
            })?;
            job.run::<burn::backend::Autodiff<burn::backend::Cuda>>(&Default::default())
        }
        #[allow(unreachable_patterns)]
        missing => Err(CliError::Usage(format!(
            "this binary was built without the {0} backend. `cargo xtask ... --backend {0}` builds and runs it; by hand: \
             cargo build --release -p star-cli --features {0}",
            missing.name()
        ))),
    }
}

/// Touches a device before any work, because Burn panics where it is missing.
#[cfg(any(feature = "wgpu", feature = "cuda"))]
fn start(name: BackendName, touch: impl FnOnce() + std::panic::UnwindSafe) -> Result<(), CliError> {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| ()));
    let touched = std::panic::catch_unwind(touch);
    std::panic::set_hook(hook);
    touched.map_err(|cause| {
        let cause = cause
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| cause.downcast_ref::<&str>().copied())
            .unwrap_or("no further word from the driver");
        CliError::Usage(format!(
            "no device for --backend {}: {}. {} Or run on the CPU with --backend flex.",
            name.name(),
            cause.lines().next().unwrap_or_default(),
            match name {
                BackendName::Cuda =>
                    "It needs an NVIDIA GPU, its driver (nvidia-smi shows it) and the NVRTC library of CUDA.",
                _ => "It needs a GPU with a Vulkan, Metal or DirectX 12 driver.",
            }
        ))
    })
}

impl BackendName {
    pub fn name(self) -> &'static str {
        match self {
            Self::Flex => "flex",
            Self::Ndarray => "ndarray",
            Self::Wgpu => "wgpu",
            Self::Cuda => "cuda",
        }
    }
}
