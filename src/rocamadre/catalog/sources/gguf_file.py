"""One GGUF file on the disk."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rocamadre.catalog.checks import choose_files
from rocamadre.catalog.sources.types import Listing, SourceFile, SourceOptions, local_file, read_local
from rocamadre.core.errors import NotFound

OWNER = "local"


class GgufFileSource:
    """See the module."""

    def __init__(self, text: str, options: SourceOptions) -> None:
        self._path = Path(text)

    def find(self) -> Listing:
        """The file itself."""
        if not self._path.is_file():
            raise NotFound(f"there is no file {self._path}")
        (name,) = choose_files([self._path.name], wanted=self._path.name)
        files = (local_file(name, self._path),)
        return Listing("gguf", str(self._path), "", OWNER, self._path.stem, files)

    def read(self, listing: Listing, file: SourceFile, offset: int) -> Iterator[bytes]:
        """From the disk."""
        return read_local(Path(listing.origin), offset)
