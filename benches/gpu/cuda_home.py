"""Finds what `--backend cuda` needs when it runs: NVRTC and CUDA's headers. Prints shell lines to `eval`.

A toolkit has both in one folder. A machine that only has PyTorch has them in pieces: NVRTC and most headers in NVIDIA's Python packages, the
tensor cores' `crt/mma.h` in Triton's. Then a folder of links is put together in FOLDER. NVRTC is asked what it can compile with it, since Burn
passes over a kernel that does not compile and takes a slower one without a word.

    eval "$(python3 benches/gpu/cuda_home.py FOLDER)"      # exports CUDA_PATH and LD_LIBRARY_PATH; remarks go to standard error
"""

import ctypes
import glob
import os
import pathlib
import shlex
import sys
import sysconfig

KERNEL = '\nextern "C" __global__ void k(float *x) { x[threadIdx.x] = 1.0f; }'
# What kernels include, and what is lost without it; only the first must compile.
SETS = [
    ("plain kernels", ["cuda_runtime.h"]),
    ("half precision", ["cuda_runtime.h", "cuda_bf16.h", "cuda_fp16.h"]),
    ("tensor cores", ["cuda_runtime.h", "mma.h"]),
    ("asynchronous copies", ["cuda_runtime.h", "cooperative_groups.h", "cooperative_groups/memcpy_async.h", "cuda/barrier"]),
    ("inline PTX", ["cuda_runtime.h", "cuda/ptx"]),
]


def say(text):
    print(text, file=sys.stderr)


def toolkit():
    """A whole installation, as Burn looks for it."""
    for folder in [os.environ.get("CUDA_PATH"), "/usr/local/cuda", "/opt/cuda"]:
        if folder and (pathlib.Path(folder) / "include/cuda_runtime.h").is_file():
            return pathlib.Path(folder)
    return None


def site_packages():
    found = [pathlib.Path(sysconfig.get_paths()[key]) for key in ("purelib", "platlib")]
    try:
        import torch

        found.append(pathlib.Path(torch.__file__).parent.parent)
    except ImportError:
        pass
    return list(dict.fromkeys(found))


def assembled(folder):
    """Links to the pieces in Python's packages; the first piece that has a file wins."""
    pieces = []
    for site in site_packages():
        # CUDA 13 has one folder for all packages, CUDA 12 one for each.
        pieces += sorted(site.glob("nvidia/cu*/include"), reverse=True)
        pieces += sorted(site.glob("nvidia/cuda_*/include"))
        pieces += sorted(site.glob("triton/backends/nvidia/include"))
    include = pathlib.Path(folder) / "include"
    for piece in pieces:
        for file in piece.rglob("*"):
            link = include / file.relative_to(piece)
            if file.is_file() and not link.exists():
                link.parent.mkdir(parents=True, exist_ok=True)
                link.unlink(missing_ok=True)
                link.symlink_to(file)
    return pathlib.Path(folder) if (include / "cuda_runtime.h").is_file() else None


def nvrtc(home):
    """The folder of NVRTC: the one that fits the headers first."""
    folders = [home / part for part in ("lib64", "lib", "targets/x86_64-linux/lib")] if home else []
    for site in site_packages():
        folders += [pathlib.Path(f) for f in sorted(glob.glob(f"{site}/nvidia/*/lib"), reverse=True)]
    folders += [pathlib.Path(f) for f in os.environ.get("LD_LIBRARY_PATH", "").split(":") if f]
    for folder in folders:
        for library in sorted(folder.glob("libnvrtc.so*"), key=lambda file: len(file.name)):
            return folder, library
    return None, None


def compiles(library, include, headers):
    source = "".join(f"#include <{header}>\n" for header in headers) + KERNEL
    options = [b"--gpu-architecture=sm_80"] + [f"--include-path={path}".encode() for path in (include, include / "cccl")]
    program = ctypes.c_void_p()
    library.nvrtcCreateProgram(ctypes.byref(program), source.encode(), None, 0, None, None)
    status = library.nvrtcCompileProgram(program, len(options), (ctypes.c_char_p * len(options))(*options))
    library.nvrtcDestroyProgram(ctypes.byref(program))
    return status == 0


def main():
    home = toolkit() or assembled(sys.argv[1])
    if home is None:
        sys.exit("no CUDA headers: neither a toolkit (CUDA_PATH, /usr/local/cuda) nor NVIDIA's Python packages were found")
    folder, file = nvrtc(home)
    if file is None:
        sys.exit("no libnvrtc: neither in a toolkit nor in NVIDIA's Python packages (pip install nvidia-cuda-nvrtc)")
    library = ctypes.CDLL(str(file))
    major, minor = ctypes.c_int(), ctypes.c_int()
    library.nvrtcVersion(ctypes.byref(major), ctypes.byref(minor))
    say(f"headers: {home}/include; NVRTC {major.value}.{minor.value}: {file}")
    for what, headers in SETS:
        good = compiles(library, home / "include", headers)
        say(f"  {what}: {'compile' if good else 'DO NOT COMPILE with these headers'}")
        if not good and what == SETS[0][0]:
            sys.exit("NVRTC and these headers do not go together")
    path = ":".join(filter(None, [str(folder), os.environ.get("LD_LIBRARY_PATH", "")]))
    print(f"export CUDA_PATH={shlex.quote(str(home))} LD_LIBRARY_PATH={shlex.quote(path)}")


if __name__ == "__main__":
    main()
