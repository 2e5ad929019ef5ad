"""Make the project's Python environments, or find them in order; needs nothing but Python 3.11 to 3.13 with pip.

Usage: python .ci/environment.py ROLE...

Each role is a set of packages in a folder. A finished install leaves a stamp that holds a hash of all it was made from:
while the hash is the same, nothing is done. A folder whose install was cut off is made again from nothing.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OLDEST = ("botocore==1.43.0", "boto3==1.43.0", "s3transfer>=0.17,<0.18")
TORCH = os.environ.get("TORCH", "")


@dataclass(frozen=True)
class Role:
    """One set of packages.

    Attributes:
        folder: Where it lives, below the checkout.
        packages: What pip is asked for.
        constraints: File of pinned versions, below the checkout; empty for none.
        venv: Whether `folder` is a virtual environment, or only a folder put on PYTHONPATH before `.venv`.
        torch: Whether PyTorch belongs to it.
        contains: Roles in the same folder that it includes.
    """

    folder: str
    packages: tuple[str, ...]
    constraints: str = ""
    venv: bool = True
    torch: bool = False
    contains: tuple[str, ...] = ()


ROLES = {
    "run": Role(".venv", ("-e", "."), "constraints.txt"),
    "test": Role(".venv", ("-e", ".[test,train,telemetry]"), "constraints.txt", torch=True, contains=("run",)),
    "clients": Role(".venv-clients", ("aioboto3",), "constraints-clients.txt"),
    "frameworks": Role(
        ".venv-frameworks",
        ("--no-compile", "-r", "constraints-frameworks.txt"),
        "constraints-frameworks.txt",
        venv=False,
    ),
    "oldest": Role(".venv-oldest", OLDEST, venv=False),
    "newest": Role(".venv-newest", ("botocore", "boto3", "s3transfer"), venv=False),
}


def main(names: list[str]) -> int:
    """Bring each role in order; 0 when all are."""
    if not (3, 11) <= sys.version_info[:2] <= (3, 13):
        return fail(f"Python 3.11 to 3.13 is needed, this is {platform.python_version()}; try: make PYTHON=python3.12")
    if not names or any(name not in ROLES for name in names):
        return fail(f"usage: python .ci/environment.py ROLE..., with a role of: {', '.join(ROLES)}")
    with locked():
        for name in names:
            if not ready(name) and (code := install(name)):
                return code
    return 0


def ready(name: str) -> bool:
    """Whether a role is installed from exactly what it would be made from now."""
    stamp = stamp_of(name)
    return (
        stamp.is_file()
        and stamp.read_text() == fingerprint(name)
        and not marker(ROLES[name]).exists()
        and (not ROLES[name].venv or runs(ROLES[name]))
    )


def install(name: str) -> int:
    """Install a role; 0 when done."""
    role = ROLES[name]
    folder = ROOT / role.folder
    began = time.monotonic()
    if folder.exists() and (not role.venv or marker(role).exists() or not runs(role) or moved(role)):
        shutil.rmtree(folder)
    if role.venv and not folder.exists():
        say(f"creating {role.folder} with Python {platform.python_version()}")
        if code := create_venv(role):
            return code
    marker(role).parent.mkdir(parents=True, exist_ok=True)
    marker(role).write_text(str(ROOT))
    say(f"installing the packages for '{name}' into {role.folder}")
    if role.torch and (code := install_torch(role)):
        return code
    if code := pip(role, *role.packages):
        return code
    for done in (name, *role.contains):
        stamp_of(done).write_text(fingerprint(done))
    (marker(role).parent / "root").write_text(str(ROOT))
    marker(role).unlink()
    say(f"installed in {time.monotonic() - began:.0f} s")
    return 0


def create_venv(role: Role) -> int:
    """Make an empty virtual environment with pip in it; 0 when done."""
    folder = str(ROOT / role.folder)
    if quiet([sys.executable, "-m", "venv", folder]).returncode == 0:
        return 0
    # Debian's Python has no ensurepip without the package python3-venv, but its pip can install into a bare folder.
    shutil.rmtree(folder, ignore_errors=True)
    made = quiet([sys.executable, "-m", "venv", "--without-pip", folder])
    if made.returncode == 0:
        made = quiet([sys.executable, "-m", "pip", "--python", str(interpreter(role)), "install", "-q", "pip"])
    if made.returncode:
        shutil.rmtree(folder, ignore_errors=True)
        return fail(f"no virtual environment could be made:\n{made.stdout[-2000:]}")
    return 0


def install_torch(role: Role) -> int:
    """Install PyTorch: what TORCH says, else on Linux the CPU build where the index has it; 0 when done."""
    pinned = next(line for line in (ROOT / role.constraints).read_text().splitlines() if line.startswith("torch=="))
    if TORCH or sys.platform != "linux":
        return pip(role, TORCH or pinned)
    return 0 if pip(role, f"{pinned}+cpu", loud=False) == 0 else pip(role, pinned)


def pip(role: Role, *arguments: str, loud: bool = True) -> int:
    """Run pip for a role; 0 when it succeeded, else its output is shown."""
    if role.venv:
        command = [str(interpreter(role)), "-m", "pip", "install"]
    else:
        python = str(ROOT / ".venv" / "bin" / "python")
        command = [python, "-m", "pip", "install", "--target", str(ROOT / role.folder), "--no-deps"]
    command += ["--quiet", "--disable-pip-version-check", "--no-input"]
    if role.constraints:
        command += ["--constraint", role.constraints]
    result = quiet([*command, *arguments])
    if result.returncode and loud:
        return fail(
            f"pip could not install {' '.join(arguments)}:\n{result.stdout[-4000:]}\nRun the same again to go on."
        )
    return result.returncode


def quiet(command: list[str]) -> subprocess.CompletedProcess[str]:
    """Run a program in the checkout with its output kept."""
    return subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)


def fingerprint(name: str) -> str:
    """A hash of everything that an install of this role depends on."""
    role = ROLES[name]
    parts = [name, str(ROOT), sys.version, platform.machine(), *role.packages, TORCH if role.torch else ""]
    if role.constraints:
        parts.append((ROOT / role.constraints).read_text())
    if "-e" in role.packages:
        parts.append((ROOT / "pyproject.toml").read_text())
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def runs(role: Role) -> bool:
    """Whether the folder's interpreter still starts, in the version that would be used now."""
    python = interpreter(role)
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    return python.exists() and (ROOT / role.folder / "lib" / f"python{version}").exists()


def moved(role: Role) -> bool:
    """Whether the folder was made in another place: its scripts would start that place's interpreter."""
    root = marker(role).parent / "root"
    return root.exists() and root.read_text() != str(ROOT)


def interpreter(role: Role) -> Path:
    """The Python of a role's folder."""
    return ROOT / role.folder / "bin" / "python"


def marker(role: Role) -> Path:
    """The file that stands while an install goes on."""
    return ROOT / role.folder / ".rocamadre" / "installing"


def stamp_of(name: str) -> Path:
    """The file that a finished install leaves."""
    return ROOT / ROLES[name].folder / ".rocamadre" / name


@contextmanager
def locked() -> Iterator[None]:
    """Keep a second run waiting until the first is done."""
    with open(ROOT / ".venv.lock", "w", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def say(text: str) -> None:
    """One line of progress."""
    print(f"rocamadre: {text}", file=sys.stderr, flush=True)


def fail(text: str) -> int:
    """Say what went wrong; returns 1."""
    say(text)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
