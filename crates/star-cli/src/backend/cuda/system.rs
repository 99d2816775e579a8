//! What of CUDA a machine has, asked of the libraries themselves, so that what is missing can be said in words.

use std::{
    ffi::{CStr, c_char, c_int, c_uint},
    fmt,
    path::PathBuf,
};

use burn::cubecl::cuda::install::cuda_path;
use libloading::{Library, Symbol};

/// By the names that Burn looks for.
#[cfg(not(windows))]
const DRIVER: [&str; 2] = ["libcuda.so.1", "libcuda.so"];
#[cfg(windows)]
const DRIVER: [&str; 1] = ["nvcuda.dll"];
#[cfg(not(windows))]
const NVRTC: [&str; 4] = [
    "libnvrtc.so",
    "libnvrtc.so.13",
    "libnvrtc.so.12",
    "libnvrtc.so.11",
];
#[cfg(windows)]
const NVRTC: [&str; 2] = ["nvrtc64_130_0.dll", "nvrtc64_120_0.dll"];

#[cfg(not(windows))]
const NCCL: &str = "libnccl.so";
#[cfg(windows)]
const NCCL: &str = "nccl.dll";

const OK: c_int = 0;
const COMPUTE_CAPABILITY_MAJOR: c_int = 75;
const COMPUTE_CAPABILITY_MINOR: c_int = 76;

/// Major, minor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Version(c_int, c_int);

/// A machine that can run CUDA kernels.
pub struct System {
    gpu: String,
    capability: Version,
    /// The newest CUDA that the driver runs.
    driver: Version,
    nvrtc: Version,
    /// What works without, but slower.
    pub lacks: Vec<String>,
}

impl System {
    /// Of GPU `number`.
    ///
    /// # Errors
    /// Everything that is missing.
    pub fn look(number: usize) -> Result<Self, Vec<String>> {
        match (driver(number), nvrtc(), headers(cuda_path())) {
            (Ok(driver), Ok(nvrtc), Ok(mut lacks)) => {
                if nvrtc > driver.version {
                    lacks.push(format!(
                        "NVRTC {nvrtc} is newer than what this driver runs (CUDA {}): if kernels do not load, install an older NVRTC or a newer driver",
                        driver.version
                    ));
                }
                Ok(Self {
                    gpu: driver.gpu,
                    capability: driver.capability,
                    driver: driver.version,
                    nvrtc,
                    lacks,
                })
            }
            (driver, nvrtc, headers) => Err([driver.err(), nvrtc.err(), headers.err()]
                .into_iter()
                .flatten()
                .collect()),
        }
    }

    /// Names what compiled kernels depend on.
    pub fn key(&self) -> String {
        let Self {
            capability, nvrtc, ..
        } = self;
        format!("sm_{}{}-nvrtc_{nvrtc}", capability.0, capability.1)
    }
}

struct Driver {
    gpu: String,
    capability: Version,
    version: Version,
}

fn driver(gpu: usize) -> Result<Driver, String> {
    let library = open(&DRIVER).ok_or_else(|| {
        format!(
            "the NVIDIA driver's library {} is not there (nvidia-smi shows whether a driver is)",
            DRIVER[0]
        )
    })?;
    // SAFETY: the driver's documented functions with their documented arguments; `cuInit` comes first.
    unsafe {
        let init: Symbol<unsafe extern "C" fn(c_uint) -> c_int> = symbol(library, b"cuInit\0")?;
        said(library, "cuInit", init(0))?;
        let mut number = 0;
        let version: Symbol<unsafe extern "C" fn(*mut c_int) -> c_int> =
            symbol(library, b"cuDriverGetVersion\0")?;
        said(library, "cuDriverGetVersion", version(&mut number))?;
        let mut device = 0;
        let get: Symbol<unsafe extern "C" fn(*mut c_int, c_int) -> c_int> =
            symbol(library, b"cuDeviceGet\0")?;
        let gpu = c_int::try_from(gpu).unwrap_or(c_int::MAX);
        said(
            library,
            &format!("cuDeviceGet({gpu})"),
            get(&mut device, gpu),
        )?;
        let mut name = [0 as c_char; 256];
        let get: Symbol<unsafe extern "C" fn(*mut c_char, c_int, c_int) -> c_int> =
            symbol(library, b"cuDeviceGetName\0")?;
        // The last byte stays zero.
        let room = name.len() as c_int - 1;
        said(
            library,
            "cuDeviceGetName",
            get(name.as_mut_ptr(), room, device),
        )?;
        let get: Symbol<unsafe extern "C" fn(*mut c_int, c_int, c_int) -> c_int> =
            symbol(library, b"cuDeviceGetAttribute\0")?;
        let mut capability = [0; 2];
        for (value, which) in capability
            .iter_mut()
            .zip([COMPUTE_CAPABILITY_MAJOR, COMPUTE_CAPABILITY_MINOR])
        {
            said(library, "cuDeviceGetAttribute", get(value, which, device))?;
        }
        Ok(Driver {
            gpu: CStr::from_ptr(name.as_ptr()).to_string_lossy().into_owned(),
            capability: Version(capability[0], capability[1]),
            // 12080 is 12.8.
            version: Version(number / 1000, number % 1000 / 10),
        })
    }
}

fn nvrtc() -> Result<Version, String> {
    let library = open(&NVRTC).ok_or_else(|| {
        format!(
            "CUDA's runtime compiler {} is not on the library path (it comes with the CUDA toolkit, or with `pip install nvidia-cuda-nvrtc`; \
             LD_LIBRARY_PATH names its folder)",
            NVRTC[NVRTC.len() / 2]
        )
    })?;
    let (mut major, mut minor) = (0, 0);
    // SAFETY: as documented.
    let status = unsafe {
        let version: Symbol<unsafe extern "C" fn(*mut c_int, *mut c_int) -> c_int> =
            symbol(library, b"nvrtcVersion\0")?;
        version(&mut major, &mut minor)
    };
    if status == OK {
        Ok(Version(major, minor))
    } else {
        Err(format!("NVRTC does not tell its version (error {status})"))
    }
}

/// What carries tensors from GPU to GPU.
///
/// # Errors
/// Where it is not there.
pub fn nccl() -> Result<(), String> {
    open(&[NCCL]).map(|_| ()).ok_or_else(|| {
        format!(
            "several GPUs exchange their gradients through NCCL, and {NCCL} is not on the library path (NVIDIA's package libnccl-dev has it; where there is \
             only a libnccl.so.2, as beside PyTorch, make a link of that name to it; LD_LIBRARY_PATH names its folder)"
        )
    })
}

/// CUDA's headers, which NVRTC reads while it compiles; what is missing of those that only some kernels need.
fn headers(cuda: Option<PathBuf>) -> Result<Vec<String>, String> {
    let wanted = "CUDA_PATH names the folder that has `include`; by itself it is looked for in /usr/local/cuda and /opt/cuda";
    let include = cuda.ok_or_else(|| format!("CUDA's headers are not there ({wanted})"))?;
    let include = include.join("include");
    let has =
        |name: &str| include.join(name).is_file() || include.join("cccl").join(name).is_file();
    if !has("cuda_runtime.h") {
        return Err(format!(
            "CUDA's header cuda_runtime.h is not in {} ({wanted})",
            include.display()
        ));
    }
    Ok([
        (
            "crt/mma.h",
            "kernels with tensor cores do not compile and slower ones run instead",
        ),
        (
            "cuda/barrier",
            "kernels that copy asynchronously do not compile and slower ones may run instead",
        ),
    ]
    .into_iter()
    .filter(|(name, _)| !has(name))
    .map(|(name, so)| format!("{} has no {name}: {so}", include.display()))
    .collect())
}

/// Opened for good: Burn opens the same libraries right after, and they were not made to be unloaded and loaded again.
fn open(names: &[&str]) -> Option<&'static Library> {
    // SAFETY: the vendor's libraries, whose initialisers are meant to run in any process.
    let library = names
        .iter()
        .find_map(|name| unsafe { Library::new(*name) }.ok())?;
    Some(Box::leak(Box::new(library)))
}

/// # Safety
/// `T` must be the type of the function.
unsafe fn symbol<'a, T>(library: &'a Library, name: &[u8]) -> Result<Symbol<'a, T>, String> {
    // SAFETY: the caller's promise.
    unsafe { library.get(name) }.map_err(|e| format!("a library of CUDA is not whole: {e}"))
}

/// The driver's own word for an error.
fn said(library: &Library, function: &str, status: c_int) -> Result<(), String> {
    if status == OK {
        return Ok(());
    }
    // SAFETY: as documented; the text is the driver's own and stays.
    let word = unsafe {
        let mut text: *const c_char = std::ptr::null();
        symbol::<unsafe extern "C" fn(c_int, *mut *const c_char) -> c_int>(
            library,
            b"cuGetErrorName\0",
        )
        .is_ok_and(|name| name(status, &mut text) == OK && !text.is_null())
        .then(|| CStr::from_ptr(text).to_string_lossy().into_owned())
    };
    Err(format!(
        "the NVIDIA driver is installed, but {function} says {} (nvidia-smi shows whether it sees a GPU)",
        word.unwrap_or_else(|| status.to_string())
    ))
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

impl fmt::Display for System {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} (compute capability {}, driver for CUDA {}, NVRTC {})",
            self.gpu, self.capability, self.driver, self.nvrtc
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_looked_for_where_nvrtc_reads_them() {
        assert!(headers(None).is_err_and(|e| e.contains("CUDA_PATH")));
        let cuda = std::env::temp_dir().join(format!("star-cuda-{}", std::process::id()));
        let write = |name: &str| {
            let path = cuda.join("include").join(name);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            std::fs::write(path, "").expect("a file");
        };
        assert!(headers(Some(cuda.clone())).is_err_and(|e| e.contains("cuda_runtime.h")));
        write("cuda_runtime.h");
        let lacks = headers(Some(cuda.clone())).expect("enough");
        assert_eq!(lacks.len(), 2, "{lacks:?}");
        write("crt/mma.h");
        write("cccl/cuda/barrier");
        assert_eq!(headers(Some(cuda.clone())), Ok(Vec::new()));
        std::fs::remove_dir_all(cuda).expect("clean up");
    }

    #[test]
    fn versions_compare_by_their_parts() {
        assert!(Version(13, 0) > Version(12, 9));
        assert!(Version(12, 10) > Version(12, 9));
    }
}
