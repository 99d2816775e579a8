//! The only place that names a concrete backend.

#[cfg(feature = "cuda")]
mod cuda;
#[cfg(any(feature = "wgpu", feature = "cuda", test))]
mod device_panic;
#[cfg(any(feature = "wgpu", feature = "cuda"))]
mod first_touch;
#[cfg(feature = "wgpu")]
mod wgpu;

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
    /// NVIDIA GPUs; needs the driver, NVRTC and CUDA's headers when it runs.
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

/// Work that can be shared out over several devices of any backend.
pub trait SharedJob {
    type Output;
    /// `devices`: at least one.
    fn run<B: AutodiffBackend>(self, devices: &[B::Device]) -> Result<Self::Output, CliError>;
}

/// Runs a job on the first device of the backend asked for.
///
/// # Errors
/// A backend that this binary was built without, or whose device is missing; and the job's own.
pub fn run_on<J: Job>(name: BackendName, job: J) -> Result<J::Output, CliError> {
    struct OnFirst<J>(J);
    impl<J: Job> SharedJob for OnFirst<J> {
        type Output = J::Output;
        fn run<B: AutodiffBackend>(self, devices: &[B::Device]) -> Result<J::Output, CliError> {
            match devices.first() {
                Some(device) => self.0.run::<B>(device),
                None => Err(CliError::Usage("no device was asked for".into())),
            }
        }
    }
    run_on_devices(name, &[], OnFirst(job))
}

/// Runs a job on devices of the backend asked for, by their numbers; none is the backend's own choice of one.
///
/// # Errors
/// As [`run_on`]; and more devices than there are.
pub fn run_on_devices<J: SharedJob>(
    name: BackendName,
    numbers: &[usize],
    job: J,
) -> Result<J::Output, CliError> {
    match name {
        #[cfg(feature = "flex")]
        BackendName::Flex => {
            job.run::<burn::backend::Autodiff<burn::backend::Flex>>(&the_processor(name, numbers)?)
        }
        #[cfg(feature = "ndarray")]
        BackendName::Ndarray => job
            .run::<burn::backend::Autodiff<burn::backend::NdArray>>(&the_processor(name, numbers)?),
        #[cfg(feature = "wgpu")]
        BackendName::Wgpu => {
            job.run::<burn::backend::Autodiff<burn::backend::Wgpu>>(&wgpu::start(numbers)?)
        }
        #[cfg(feature = "cuda")]
        BackendName::Cuda => {
            job.run::<burn::backend::Autodiff<burn::backend::Cuda>>(&cuda::start(numbers)?)
        }
        #[allow(unreachable_patterns)]
        missing => Err(CliError::Usage(not_built_in(missing))),
    }
}

/// That a backend is not in this binary, and how to get one that has it.
pub fn not_built_in(missing: BackendName) -> String {
    let built_in: Vec<&str> = (BackendName::value_variants().iter())
        .filter(|name| name.is_built_in())
        .map(|name| name.name())
        .collect();
    format!(
        "this binary was built without the {0} backend (it has {1}). `cargo xtask ... --backend {0}` builds and runs it; \
         by hand: cargo build --release -p star-cli --features {0}",
        missing.name(),
        built_in.join(", "),
    )
}

/// The one device of a CPU backend.
#[cfg(any(feature = "flex", feature = "ndarray"))]
fn the_processor<D: Default>(name: BackendName, numbers: &[usize]) -> Result<[D; 1], CliError> {
    match numbers {
        [] | [0] => Ok([D::default()]),
        _ => Err(CliError::Usage(format!(
            "--devices: {} has one device, 0, which uses all cores. Several are for GPUs: --backend cuda or wgpu.",
            name.name()
        ))),
    }
}

/// A backend that is built in, but not on this machine: one paragraph.
#[cfg(any(feature = "wgpu", feature = "cuda"))]
fn no_device(name: BackendName, missing: &str) -> CliError {
    CliError::Usage(format!(
        "no device for --backend {}: {missing} Or run on the CPU with --backend flex.",
        name.name()
    ))
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

    pub fn is_built_in(self) -> bool {
        match self {
            Self::Flex => cfg!(feature = "flex"),
            Self::Ndarray => cfg!(feature = "ndarray"),
            Self::Wgpu => cfg!(feature = "wgpu"),
            Self::Cuda => cfg!(feature = "cuda"),
        }
    }
}
