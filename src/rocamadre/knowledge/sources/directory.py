"""Files of a folder of this machine."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from rocamadre.core.errors import AccessDenied, NotFound
from rocamadre.knowledge.sources.files import Wanted, only_known, text_of, wanted_of
from rocamadre.knowledge.sources.place import Place
from rocamadre.knowledge.sources.protocol import Attributes, Item, SourceFailure, sized
from rocamadre.knowledge.sources.sidecar import ENDING, read_sidecar

_MEMBERS = ("path", "include", "exclude", "hidden")


class DirectorySource:
    """See `Source`. A document's id is its `file://` URI, its version the time of its last change and its size.

    Links are not followed: they could lead out of the folder, or in circles.

    Args:
        root: The folder.
        wanted: Which of its files.
    """

    complete = True

    def __init__(self, root: Path, wanted: Wanted) -> None:
        self._root = root.resolve()
        self._wanted = wanted

    def listing(self) -> Iterator[Item]:
        """See `Source.listing`."""
        if not self._root.is_dir():
            raise NotFound(f"{self._root} is no folder of this machine")
        for folder, names, files in os.walk(self._root, onerror=_raise):
            names.sort()
            if not self._wanted.hidden:
                names[:] = [name for name in names if not name.startswith(".")]
            beside = {name for name in files if name.endswith(ENDING)}
            for name in sorted(files):
                path = Path(folder, name)
                if self._wanted.takes(path.relative_to(self._root).as_posix()) and not path.is_symlink():
                    item = _item(path, name + ENDING in beside)
                    if item is not None:
                        yield item

    def fetch(self, item: Item) -> bytes | Path:
        """See `Source.fetch`."""
        path = _path(item)
        try:
            sized(item.id, os.lstat(path).st_size)
        except OSError as error:
            raise SourceFailure(f"{path} cannot be read: {error.strerror}") from error
        if not Path(os.path.realpath(path)).is_relative_to(self._root):
            raise SourceFailure(f"{path} leads out of {self._root}")
        return path

    def attributes(self, item: Item) -> Attributes:
        """See `Source.attributes`."""
        if not item.metadata_version:
            return Attributes()
        path = _path(item)
        beside = path.with_name(path.name + ENDING)
        try:
            with beside.open("rb") as file:
                return read_sidecar(file.read(1 << 20), str(beside))
        except OSError as error:
            raise SourceFailure(f"{beside} cannot be read: {error.strerror}") from error

    def close(self) -> None:
        """See `Source.close`."""


def open_source(place: Place, configuration: Mapping[str, Any]) -> DirectorySource:
    """Of a loader `{"type": "DIRECTORY", "path": …, "include": […], "exclude": […]}`.

    Raises:
        InvalidRequest: a member is wrong.
        AccessDenied: the settings do not allow this folder.
    """
    only_known(configuration, _MEMBERS, "DIRECTORY")
    path = Path(text_of(configuration, "path", "DIRECTORY")).expanduser().resolve()
    allowed_path(place, path)
    return DirectorySource(path, wanted_of(configuration))


def allowed_path(place: Place, path: Path) -> None:
    """Refuse a path of this machine that the settings do not give away.

    Raises:
        AccessDenied: so it is.
    """
    if place.any_path:
        return
    roots = [root.expanduser().resolve() for root in place.settings.paths]
    if not any(path.is_relative_to(root) for root in roots):
        raise AccessDenied(
            f"{path} is a path of the server's machine, and the setting knowledge.paths allows "
            f"{', '.join(map(str, roots)) or 'none'}"
        )


def _item(path: Path, has_sidecar: bool) -> Item | None:
    """None for what is no plain file, or vanished meanwhile."""
    try:
        found = path.lstat()
        beside = path.with_name(path.name + ENDING).stat() if has_sidecar else None
    except OSError:
        return None
    if not path.is_file():
        return None
    return Item(
        id=path.as_uri(),
        version=_version(found),
        name=path.name,
        size_bytes=found.st_size,
        metadata_version=_version(beside) if beside else "",
    )


def _version(found: os.stat_result) -> str:
    return f"{found.st_mtime_ns}-{found.st_size}"


def _path(item: Item) -> Path:
    return Path(unquote(urlsplit(item.id).path))


def _raise(error: OSError) -> None:
    """A folder that cannot be listed must not look like an empty one: its documents would be deleted."""
    raise NotFound(f"{error.filename} cannot be listed: {error.strerror}") from error
