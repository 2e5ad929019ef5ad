"""The sources there are, and which one a text means."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from rocamadre.catalog.sources.types import Source, SourceOptions
from rocamadre.core.errors import InvalidRequest
from rocamadre.core.registry import Registry

SOURCES: Registry[Callable[[str, SourceOptions], Source]] = Registry(
    "source",
    {
        "directory": "rocamadre.catalog.sources.directory:DirectorySource",
        "gguf": "rocamadre.catalog.sources.gguf_file:GgufFileSource",
        "hub": "rocamadre.catalog.sources.hub:HubSource",
        "ollama": "rocamadre.catalog.sources.ollama:OllamaSource",
    },
)

_REPOSITORY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}/[A-Za-z0-9][A-Za-z0-9._-]{0,95}")


def parse_source(text: str) -> tuple[str, str]:
    """The kind of source that a text means, and what it names there.

    Args:
        text: `ollama:NAME[:TAG]`, `hf:OWNER/NAME`, a path, or `OWNER/NAME` where no such path exists.

    Raises:
        InvalidRequest: it means nothing; the message says what may be given.
    """
    prefix, colon, rest = text.partition(":")
    if colon and prefix == "ollama" and rest:
        return "ollama", rest
    if colon and prefix == "hf" and _REPOSITORY.fullmatch(rest):
        return "hub", rest
    path = Path(text).expanduser()
    if path.is_dir():
        return "directory", str(path.absolute())
    if path.is_file():
        return "gguf", str(path.absolute())
    if _REPOSITORY.fullmatch(text):
        return "hub", text
    raise InvalidRequest(
        f"{text!r} is no folder or file here; give a model's folder, a .gguf file, ollama:NAME[:TAG], "
        "or OWNER/NAME of a hub repository"
    )
