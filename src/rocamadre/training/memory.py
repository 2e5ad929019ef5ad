"""Memory and disk of a training process: how much there is, how much was used, and the C allocator's manners."""

from __future__ import annotations

import ctypes
import errno
import resource
import shutil
import sys
from pathlib import Path

from rocamadre.engines.memory import available_bytes, figure

RESERVE_BYTES = 64 << 20
"""Disk that a checkpoint leaves to everybody else."""
LOW_MEMORY_BYTES = 256 << 20

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX = -1, -2, -4
_KEEP_BYTES = 1 << 30


def tune_allocator() -> bool:
    """Let glibc keep the memory that a pass frees, since the next one asks for the same again.

    By default each large tensor is mapped afresh and its pages are zeroed by the kernel at every pass. The same as the
    environment's `MALLOC_MMAP_MAX_=0` and `MALLOC_TRIM_THRESHOLD_`, without starting the process again.

    Returns:
        Whether it was done: only with glibc.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    return all(mallopt(name, value) for name, value in ((_MMAP_MAX, 0), (_TRIM_THRESHOLD, _KEEP_BYTES)))


def peak_bytes() -> int:
    """The most memory that this process ever held."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak if sys.platform == "darwin" else peak * 1024)


def free_disk_bytes(folder: Path) -> int:
    """What is left on a folder's file system."""
    return shutil.disk_usage(folder).free


def disk_is_full(error: OSError) -> bool:
    """Whether a write failed for want of room."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT)


def low_memory() -> str | None:
    """A sentence when the machine is about to run out; None while all is well."""
    left = available_bytes()
    if left >= LOW_MEMORY_BYTES:
        return None
    return (
        f"only {figure(left)} of memory are left; the system may end this run, which then goes on from its newest "
        "checkpoint. Lower batch_size or max_length, or turn gradient_checkpointing on"
    )
