"""How much memory there is, in this machine or in the container around us."""

from __future__ import annotations

from pathlib import Path

import psutil

_CGROUP = Path("/sys/fs/cgroup")


def available_bytes() -> int:
    """Memory that a new process could take now: the machine's, or the container's where that is less."""
    free = int(psutil.virtual_memory().available)
    limit, used = _read("memory.max"), _read("memory.current")
    if limit is None or used is None:
        return free
    return max(0, min(free, limit - used + (_inactive_file() or 0)))


def resident_bytes(pid: int | None) -> int:
    """Resident memory of a process; 0 for none, or when it is gone."""
    if pid is None:
        return 0
    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.Error:
        return 0


def figure(size_bytes: float) -> str:
    """A size for people.

    >>> figure(1_500_000)
    '1.5 MB'
    """
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size_bytes >= scale:
            return f"{size_bytes / scale:.1f} {unit}"
    return f"{size_bytes:.0f} B"


def _read(name: str) -> int | None:
    try:
        text = (_CGROUP / name).read_text().strip()
    except OSError:
        return None
    return int(text) if text.isdigit() else None


def _inactive_file() -> int | None:
    try:
        for line in (_CGROUP / "memory.stat").read_text().splitlines():
            key, _, value = line.partition(" ")
            if key == "inactive_file":
                return int(value)
    except OSError:
        pass
    return None
