"""Documents that a client brings by itself (IngestKnowledgeBaseDocuments): their content inline, or an object in S3."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from rocamadre.knowledge.sources.protocol import Attributes, Item, SourceFailure, plain_attributes, sized
from rocamadre.knowledge.sources.s3 import fetch_object, read_object_sidecar
from rocamadre.knowledge.types import Change
from rocamadre.store.objects.protocol import ObjectStore

_ENDINGS = {"text/plain": ".txt", "text/html": ".html", "text/markdown": ".md", "text/csv": ".csv"}


class ChangesSource:
    """See `Source`. What it lists is what one call brought; its documents are never a whole data source.

    Args:
        changes: Those that bring something in.
        staging: Folder of the inline contents.
        objects: What the account sees in S3.
        scratch: For large objects.
    """

    complete = True

    def __init__(self, changes: Sequence[Change], staging: Path, objects: ObjectStore, scratch: Path) -> None:
        self._changes = {change.document: change for change in changes}
        self._staging = staging
        self._objects = objects
        self._scratch = scratch

    def listing(self) -> Iterator[Item]:
        """See `Source.listing`."""
        for change in self._changes.values():
            yield self.item(change.document)

    def item(self, document: str) -> Item:
        """One of them. Its version is empty: what a client brings is always read."""
        change = self._changes[document]
        name = change.uri.rpartition("/")[2] if change.uri else f"document{_ENDINGS.get(change.media_type, '')}"
        attributes = "given" if change.metadata or change.metadata_uri else ""
        return Item(document, "", name, media_type=change.media_type, metadata_version=attributes)

    def fetch(self, item: Item) -> bytes | Path:
        """See `Source.fetch`."""
        change = self._changes[item.id]
        if change.uri:
            return fetch_object(self._objects, change.uri, self._scratch)
        path = self._staging / change.staged
        try:
            sized(item.id, path.stat().st_size)
        except OSError as error:
            raise SourceFailure("its content is gone; send it again") from error
        return path

    def attributes(self, item: Item) -> Attributes:
        """See `Source.attributes`."""
        change = self._changes[item.id]
        if change.metadata_uri:
            return read_object_sidecar(self._objects, change.metadata_uri)
        return plain_attributes(change.metadata)

    def close(self) -> None:
        """See `Source.close`."""
