"""Walls around foreign code, by the kernel's own means: namespaces, mounts, limits and a filter of system calls.

Only the standard library: this runs in the child that holds a function. Linux 5.12 or newer; what the kernel refuses is
a `Refusal`, and the caller decides.
"""

from __future__ import annotations

import ctypes
import os
import platform
import resource
import secrets
import struct
import sys
from collections.abc import Sequence
from typing import Any

_NEW_MOUNTS, _NEW_USER, _NEW_PIDS, _NEW_NETWORK = 0x20000, 0x10000000, 0x20000000, 0x40000000
_NEW_UTS, _NEW_IPC, _NEW_CGROUP, _NEW_TIME = 0x4000000, 0x8000000, 0x2000000, 0x80
_ANY_NAMESPACE = _NEW_MOUNTS | _NEW_USER | _NEW_PIDS | _NEW_NETWORK | _NEW_UTS | _NEW_IPC | _NEW_CGROUP | _NEW_TIME
_MS_NOSUID, _MS_NODEV, _MS_BIND, _MS_REC, _MS_PRIVATE = 2, 4, 4096, 16384, 1 << 18
_MNT_DETACH = 2
_AT_FDCWD, _AT_RECURSIVE = -100, 0x8000
_ATTR_READ_ONLY, _ATTR_NOSUID, _ATTR_NODEV = 1, 2, 4
_PR_SET_PDEATHSIG, _PR_SET_SECCOMP, _PR_SET_CHILD_SUBREAPER, _PR_SET_NO_NEW_PRIVS = 1, 22, 36, 38
_CAPABILITY_VERSION = 0x20080522
_MOUNT_SETATTR = 442

_FIRST_UID = 0x7000_0000
"""A server that runs as root gives each invocation a user id of its own, from here on."""
_PATHS = ("/bin", "/lib", "/lib64", "/usr")
_DEVICES = ("null", "zero", "random", "urandom")

_ARCHITECTURES = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}
_DENIED: dict[str, tuple[int, int]] = {
    # Name: number on x86-64, on arm64; -1 where there is none.
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "unshare": (272, 97),
    "setns": (308, 268),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "pidfd_getfd": (438, 438),
    "kcmp": (312, 272),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    # Memory that no limit of a process counts.
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "shmget": (29, 194),
    "msgget": (68, 186),
    "kexec_load": (246, 104),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "quotactl": (179, 60),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "reboot": (169, 142),
    "acct": (163, 89),
}
_CLONE, _CLONE3, _SOCKET = (56, 220), (435, 435), (41, 198)
_PIVOT_ROOT = _DENIED["pivot_root"]
_FAMILIES = (1, 2, 10, 16)
"""Sockets: unix, IPv4, IPv6, netlink. Others (vsock, packet) pass by the network namespace."""
_EPERM, _ENOSYS, _EAFNOSUPPORT = 1, 38, 97


class Refusal(Exception):
    """The kernel, or this machine, does not allow it."""


def _libc() -> Any:
    return ctypes.CDLL(None, use_errno=True)


def _call(name: str, *arguments: Any) -> int:
    """Call a function of libc.

    Raises:
        Refusal: it failed, or libc does not have it.
    """
    try:
        function = getattr(_libc(), name)
    except AttributeError as error:
        raise Refusal(f"this system has no {name}") from error
    ctypes.set_errno(0)
    result: int = function(*arguments)
    if result == -1:
        raise Refusal(f"{name}: {os.strerror(ctypes.get_errno())}")
    return result


def _prctl(option: int, value: Any) -> None:
    _call("prctl", option, ctypes.c_ulong(value) if isinstance(value, int) else value, 0, 0, 0)


def die_with_parent() -> None:
    """Let the kernel end this process when the one that made it ends."""
    if sys.platform == "linux":
        _prctl(_PR_SET_PDEATHSIG, 9)


def adopt_orphans() -> None:
    """Make descendants whose parent ends children of this process, so that none is lost."""
    if sys.platform == "linux":
        _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def enter_namespaces(*, network: bool) -> None:
    """Leave the machine's processes, users, names and (unless `network`) network; children are born inside.

    Raises:
        Refusal: the kernel does not let this user.
    """
    if sys.platform != "linux" or platform.machine() not in _ARCHITECTURES:
        raise Refusal(f"no walls are known for {sys.platform} on {platform.machine()}")
    flags = _NEW_PIDS | _NEW_IPC | _NEW_UTS | (0 if network else _NEW_NETWORK)
    user, group = os.geteuid(), os.getegid()
    _call("unshare", flags if user == 0 else flags | _NEW_USER)
    if user:
        try:
            for file, text in (
                ("setgroups", "deny"),
                ("uid_map", f"{user} {user} 1"),
                ("gid_map", f"{group} {group} 1"),
            ):
                with open(f"/proc/self/{file}", "w", encoding="ascii") as stream:
                    stream.write(text)
        except OSError as error:
            raise Refusal(f"{error.filename}: {error.strerror}") from error


def build_root(base: str, *, read_only: Sequence[tuple[str, str]], hidden: Sequence[str], scratch_bytes: int) -> None:
    """Make a root of this process's own that holds only what is named, and move into it.

    Args:
        base: An empty folder to build it on.
        read_only: Sources and where they stand inside; those that do not exist are left out.
        hidden: Paths that must be empty inside, whatever was put there.
        scratch_bytes: Size of `/tmp`, which is memory.

    Raises:
        Refusal: the kernel does not allow it.
    """
    _call("unshare", _NEW_MOUNTS)
    _mount("none", "/", None, _MS_REC | _MS_PRIVATE)
    _mount("tmpfs", base, "tmpfs", _MS_NOSUID | _MS_NODEV, "size=1m,nr_inodes=10000,mode=0755")
    try:
        # First, so that what is shown below it (an environment kept in /tmp, say) is not covered.
        os.mkdir(base + "/tmp", 0o755)
        options = f"size={scratch_bytes},nr_inodes=65536,mode=1777"
        _mount("tmpfs", base + "/tmp", "tmpfs", _MS_NOSUID | _MS_NODEV, options)
        for source, inside in [*((path, path) for path in _PATHS), *read_only]:
            _show(source, base + inside)
        for path in hidden:
            if os.path.isdir(base + path):
                _mount("tmpfs", base + path, "tmpfs", _MS_NOSUID | _MS_NODEV, "size=4k,nr_inodes=2,mode=0500")
        os.mkdir(base + "/dev", 0o755)
        for name in _DEVICES:
            open(f"{base}/dev/{name}", "x", encoding="ascii").close()
            _mount(f"/dev/{name}", f"{base}/dev/{name}", None, _MS_BIND)
        os.chdir(base)
        _call("syscall", _PIVOT_ROOT[_ARCHITECTURES[platform.machine()][1]], b".", b".")
        _call("umount2", b".", _MNT_DETACH)
        os.chdir("/")
    except OSError as error:
        raise Refusal(f"{error.filename or 'the new root'}: {error.strerror}") from error
    _set_attributes("/", _ATTR_READ_ONLY, recursive=False)


def _show(source: str, target: str) -> None:
    """Let a file or folder be seen at `target`, read-only with all that is mounted below it."""
    if os.path.lexists(target):
        return
    if os.path.islink(source):
        os.makedirs(os.path.dirname(target), 0o755, exist_ok=True)
        os.symlink(os.readlink(source), target)
        return
    if os.path.isdir(source):
        os.makedirs(target, 0o755, exist_ok=True)
    elif os.path.isfile(source):
        os.makedirs(os.path.dirname(target), 0o755, exist_ok=True)
        open(target, "x", encoding="ascii").close()
    else:
        return
    _mount(source, target, None, _MS_BIND | _MS_REC)
    _set_attributes(target, _ATTR_READ_ONLY | _ATTR_NOSUID | _ATTR_NODEV, recursive=True)


def _mount(source: str, target: str, kind: str | None, flags: int, options: str | None = None) -> None:
    arguments = [text.encode() if text is not None else None for text in (source, target, kind, options)]
    try:
        _call("mount", *arguments[:3], ctypes.c_ulong(flags), arguments[3])
    except Refusal as error:
        raise Refusal(f"{error} ({target})") from None


def _set_attributes(path: str, attributes: int, *, recursive: bool) -> None:
    block = ctypes.create_string_buffer(struct.pack("=QQQQ", attributes, 0, 0, 0), 32)
    flags = _AT_RECURSIVE if recursive else 0
    _call("syscall", _MOUNT_SETATTR, _AT_FDCWD, path.encode(), flags, block, ctypes.c_size_t(32))


def set_limits(*, memory_bytes: int, cpu_s: int, file_bytes: int, processes: int) -> None:
    """Bound this process and those it will make.

    Args:
        memory_bytes: Address space of each process.
        cpu_s: Processor time of each process.
        file_bytes: Size of a file that it writes.
        processes: Processes and threads of this user together (the kernel does not count root's).
    """
    wanted = {
        resource.RLIMIT_AS: memory_bytes,
        resource.RLIMIT_CPU: cpu_s,
        resource.RLIMIT_FSIZE: file_bytes,
        resource.RLIMIT_NPROC: processes,
        resource.RLIMIT_NOFILE: 1024,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_MEMLOCK: 65_536,
        resource.RLIMIT_STACK: 8 * 1024 * 1024,
    }
    for kind, value in wanted.items():
        _, hard = resource.getrlimit(kind)
        bound = value if hard == resource.RLIM_INFINITY else min(value, hard)
        try:
            resource.setrlimit(kind, (bound, bound))
        except (ValueError, OSError) as error:
            # macOS does not bound the address space; everything else must hold.
            if sys.platform == "linux":
                raise Refusal(f"limit {kind}: {error}") from error


def drop_privileges() -> None:
    """Become nobody, for good: no capability, no set-user-id program, no system call of `_DENIED`.

    Raises:
        Refusal: the kernel does not allow it.
    """
    if os.geteuid() == 0:
        user = _FIRST_UID + secrets.randbelow(0x0F00_0000)
        try:
            os.setgroups([])
            os.setresgid(user, user, user)
            os.setresuid(user, user, user)
        except OSError as error:
            raise Refusal(f"becoming user {user}: {error.strerror}") from error
    header = ctypes.create_string_buffer(struct.pack("=II", _CAPABILITY_VERSION, 0), 8)
    _call("capset", header, ctypes.create_string_buffer(24))
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    filter_calls()


def filter_calls() -> None:
    """Let system calls that foreign code has no need of fail.

    Raises:
        Refusal: the kernel has no such filters.
    """
    program = _program(platform.machine())
    instructions = ctypes.create_string_buffer(program, len(program))
    pointer = struct.pack("=HxxxxxxQ", len(program) // 8, ctypes.addressof(instructions))
    block = ctypes.create_string_buffer(pointer, 16)
    _call("prctl", _PR_SET_SECCOMP, ctypes.c_ulong(2), block, 0, 0)


def _program(machine: str) -> bytes:
    """The filter, as classic BPF: loads and conditional jumps over the call's number and arguments."""
    architecture, column = _ARCHITECTURES[machine]
    load, equal, at_least, has_bits, answer = 0x20, 0x15, 0x35, 0x45, 0x06
    allow, kill, error = 0x7FFF0000, 0x80000000, 0x00050000
    number, machine_at, first_argument = 0, 4, 16
    lines: list[tuple[int, int, int, int]] = [
        (load, 0, 0, machine_at),
        (equal, 1, 0, architecture),
        (answer, 0, 0, kill),
        (load, 0, 0, number),
    ]
    if machine == "x86_64":
        lines += [(at_least, 0, 1, 0x40000000), (answer, 0, 0, error | _EPERM)]  # The x32 numbers.
    for numbers in _DENIED.values():
        lines += [(equal, 0, 1, numbers[column]), (answer, 0, 0, error | _EPERM)]
    # Its flags lie where no filter can read them; libc then uses clone.
    lines += [(equal, 0, 1, _CLONE3[column]), (answer, 0, 0, error | _ENOSYS)]
    lines += [
        (equal, 0, 4, _CLONE[column]),
        (load, 0, 0, first_argument),
        (has_bits, 0, 1, _ANY_NAMESPACE & ~_NEW_TIME),
        (answer, 0, 0, error | _EPERM),
        (answer, 0, 0, allow),
    ]
    families = [(equal, len(_FAMILIES) - index, 0, family) for index, family in enumerate(_FAMILIES)]
    lines += [
        (equal, 0, len(_FAMILIES) + 3, _SOCKET[column]),
        (load, 0, 0, first_argument),
        *families,
        (answer, 0, 0, error | _EAFNOSUPPORT),
        (answer, 0, 0, allow),
        (answer, 0, 0, allow),
    ]
    return b"".join(struct.pack("=HBBI", *line) for line in lines)
