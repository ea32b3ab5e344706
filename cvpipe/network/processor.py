"""Where the network runs and how the processor is set up for it."""

from __future__ import annotations

import ctypes
import platform
from contextlib import AbstractContextManager, nullcontext
from functools import lru_cache
from pathlib import Path

import torch

from cvpipe.errors import UsageError

# glibc mallopt parameters, malloc.h
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
#: Blocks up to this size, bytes, are kept by the process instead of going back to the kernel after each layer.
KEPT_BYTES = 1 << 30


def pick_device(wanted: str = "auto") -> torch.device:
    """`auto` is CUDA where there is a device, else the CPU. UsageError where CUDA is asked for and absent."""
    if wanted not in ("auto", "cpu", "cuda"):
        raise UsageError(f"no such device '{wanted}'", remedy="Choose auto, cpu or cuda.")
    available = torch.cuda.is_available()
    if wanted == "cuda" and not available:
        raise UsageError("no CUDA device found", remedy="Use --device cpu, or see `cvpipe doctor`.")
    return torch.device("cuda" if available and wanted != "cpu" else "cpu")


@lru_cache(maxsize=1)
def tune_allocator() -> bool:
    """Tell glibc to keep large blocks, for all threads alike; True where it could be told.

    By default each activation map is mapped and unmapped anew, and the page faults cost half of the time of a
    network on the CPU. Threads would have arenas of their own, which hold no block of more than 64 MB.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    libc = ctypes.CDLL("libc.so.6")
    options = (_M_MMAP_THRESHOLD, KEPT_BYTES), (_M_TRIM_THRESHOLD, KEPT_BYTES), (_M_ARENA_MAX, 1)
    done = [libc.mallopt(option, value) for option, value in options]
    return all(done)


@lru_cache(maxsize=1)
def has_fast_bf16() -> bool:
    """Whether the CPU multiplies bfloat16 itself (AVX512-BF16 or AMX)."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        flags = next(line for line in lines if line.startswith("flags"))
    except (OSError, StopIteration):
        return False
    return "avx512_bf16" in flags.split() or "amx_bf16" in flags.split()


def autocast(device: torch.device) -> AbstractContextManager[object]:
    """bfloat16 where the processor is fast at it, else plain float32."""
    if device.type == "cuda" or has_fast_bf16():
        return torch.autocast(device.type, dtype=torch.bfloat16)
    return nullcontext()
