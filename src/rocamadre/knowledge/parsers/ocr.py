"""Words in images, by Tesseract, where it is installed: a process per page, bounded in time and memory."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from functools import lru_cache

from rocamadre.knowledge.parsers.parsed import ParseFailure

_LANGUAGES = ("eng", "spa", "por")
_KEPT = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TESSDATA_PREFIX")
_BOUNDED = 'ulimit -t "$1"; ulimit -v "$2" 2>/dev/null; shift 2; exec "$@"'


@dataclass(frozen=True, slots=True)
class OcrLimits:
    """What reading images may cost.

    Attributes:
        page_s: Seconds for one page.
        document_s: Seconds for all pages of a document, drawing them included.
        memory_bytes: Of the process.
    """

    page_s: float = 30.0
    document_s: float = 240.0
    memory_bytes: int = 1024 * 1024 * 1024


@lru_cache(maxsize=1)
def tesseract() -> tuple[str, str] | None:
    """The program and the languages that it reads, joined with `+`; None where it is not installed."""
    program = shutil.which("tesseract")
    if program is None:
        return None
    try:
        done = subprocess.run(
            [program, "--list-langs"], capture_output=True, timeout=20, check=False, env=_environment()
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    there = set(done.stdout.decode("utf-8", "replace").split())
    languages = [language for language in _LANGUAGES if language in there]
    return (program, "+".join(languages)) if languages else None


def read_image(image: bytes, limits: OcrLimits, *, seconds_left: float) -> str:
    """The words of an image.

    Args:
        image: PNG, JPEG, TIFF, GIF, BMP, WebP or PGM, of a size that was checked.
        limits: Of the process.
        seconds_left: For it, if that is less than for a page.

    Raises:
        ParseFailure: Tesseract is not there, takes too long, or does not take the image.
    """
    found = tesseract()
    if found is None:
        raise ParseFailure("needs-ocr", "the file is an image; install Tesseract to have its words read")
    program, languages = found
    page_s = min(limits.page_s, seconds_left)
    command = ["/bin/sh", "-c", _BOUNDED, "sh", str(int(page_s) + 1), str(limits.memory_bytes >> 10)]
    try:
        done = subprocess.run(
            [*command, program, "stdin", "stdout", "-l", languages],
            input=image,
            capture_output=True,
            timeout=max(0.1, page_s),
            check=False,
            env=_environment(),
            start_new_session=True,
        )
    except subprocess.TimeoutExpired as error:
        raise ParseFailure("timeout", f"reading the words of an image takes over {page_s:g} seconds") from error
    if done.returncode:
        raise ParseFailure("damaged", "the image is damaged, or takes more memory than is allowed")
    return done.stdout.decode("utf-8", "replace").replace("\f", "").strip()


def _environment() -> dict[str, str]:
    return {name: os.environ[name] for name in _KEPT if name in os.environ} | {"OMP_THREAD_LIMIT": "1"}
