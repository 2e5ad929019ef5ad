"""A model that a local Ollama has: its manifests name GGUF files by their hash."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

from rocamadre.catalog.sources.types import Listing, SourceFile, SourceOptions, read_local
from rocamadre.core.errors import InvalidRequest, NotFound

HOST = "registry.ollama.ai"
MAX_MANIFEST_BYTES = 1024 * 1024
_MODEL = "application/vnd.ollama.image.model"
_PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_DIGEST = re.compile(r"sha256:([0-9a-f]{64})")


class _Layer(msgspec.Struct, frozen=True, rename="camel"):
    media_type: str
    digest: str
    size: int


class _Manifest(msgspec.Struct, frozen=True):
    layers: tuple[_Layer, ...]


class OllamaSource:
    """See the module."""

    def __init__(self, text: str, options: SourceOptions) -> None:
        self._text = text
        # Ollama's own variable, not a setting of ours: its store lies where it says.
        usual = Path(os.environ.get("OLLAMA_MODELS") or Path.home() / ".ollama" / "models")
        self._store = options.ollama_folder or usual

    def find(self) -> Listing:
        """The one weight layer of the manifest."""
        host, owner, name, tag = self._parts()
        manifest = self._store / "manifests" / host / owner / name / tag
        if not manifest.is_file():
            raise NotFound(
                f"Ollama has no {self._text!r} in {self._store}; it has: {', '.join(self._names()) or 'none'}"
            )
        if manifest.stat().st_size > MAX_MANIFEST_BYTES:
            raise InvalidRequest(f"Ollama's manifest of {self._text!r} is too large")
        try:
            layers = msgspec.json.decode(manifest.read_bytes(), type=_Manifest).layers
        except msgspec.MsgspecError as error:
            raise InvalidRequest(f"Ollama's manifest of {self._text!r} is damaged: {error}") from error
        weights = [layer for layer in layers if layer.media_type == _MODEL]
        if len(weights) != 1:
            raise InvalidRequest(f"{self._text!r} has {len(weights)} weight files; models with exactly one are taken")
        match = _DIGEST.fullmatch(weights[0].digest)
        if match is None or not self._blob(match[1]).is_file():
            raise InvalidRequest(f"Ollama's weights of {self._text!r} are missing; run `ollama pull {self._text}`")
        files = (SourceFile("model.gguf", self._blob(match[1]).stat().st_size, sha256=match[1]),)
        shown = "ollama" if owner == "library" else owner
        return Listing("ollama", f"ollama:{self._text}", weights[0].digest, shown, f"{name}-{tag}", files)

    def read(self, listing: Listing, file: SourceFile, offset: int) -> Iterator[bytes]:
        """From Ollama's blob store."""
        return read_local(self._blob(file.sha256), offset)

    def _blob(self, digest: str) -> Path:
        return self._store / "blobs" / f"sha256-{digest}"

    def _parts(self) -> tuple[str, str, str, str]:
        path, _, tag = self._text.partition(":")
        parts = path.split("/")
        if not all(_PART.fullmatch(part) for part in [*parts, tag or "latest"]) or len(parts) > 3:
            raise InvalidRequest(f"{self._text!r} is no name of Ollama's; give NAME, NAME:TAG or OWNER/NAME:TAG")
        defaults = [HOST, "library"]
        host, owner, name = defaults[: 3 - len(parts)] + parts
        return host, owner, name, tag or "latest"

    def _names(self) -> list[str]:
        root = self._store / "manifests" / HOST / "library"
        return sorted(f"{path.parent.name}:{path.name}" for path in root.glob("*/*"))[:20]
