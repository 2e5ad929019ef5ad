"""A model in a local folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rocamadre.catalog.checks import check_inside, choose_files
from rocamadre.catalog.sources.types import Listing, SourceFile, SourceOptions, local_file, read_local
from rocamadre.core.errors import NotFound

OWNER = "local"


class DirectorySource:
    """See the module."""

    def __init__(self, text: str, options: SourceOptions) -> None:
        self._folder = Path(text)
        self._options = options

    def find(self) -> Listing:
        """The folder's own files, and those one level below that belong to a model."""
        if not self._folder.is_dir():
            raise NotFound(f"there is no folder {self._folder}")
        names = [path.relative_to(self._folder).as_posix() for path in self._folder.glob("*")]
        names += [path.relative_to(self._folder).as_posix() for path in self._folder.glob("1_Pooling/*")]
        chosen = choose_files(names, wanted=self._options.file)
        files = tuple(local_file(name, check_inside(self._folder, name)) for name in chosen)
        return Listing("directory", str(self._folder), "", OWNER, self._folder.name, files)

    def read(self, listing: Listing, file: SourceFile, offset: int) -> Iterator[bytes]:
        """From the disk; the link check is made again, the folder may have changed since."""
        return read_local(check_inside(Path(listing.origin), file.name), offset)
