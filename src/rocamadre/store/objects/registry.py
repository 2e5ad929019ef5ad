"""Where objects can be kept."""

from __future__ import annotations

from rocamadre.core.registry import Registry
from rocamadre.core.settings import Settings
from rocamadre.store.objects.files import FileObjects
from rocamadre.store.objects.protocol import ObjectStores

OBJECT_STORES: Registry[type[ObjectStores]] = Registry(
    "object store",
    {
        "files": "rocamadre.store.objects.files:FileObjects",
        "remote": "rocamadre.store.objects.remote:RemoteObjects",
    },
)


def open_objects(settings: Settings) -> ObjectStores:
    """The store that the settings choose: this machine's disk, or the S3 at `neighbours.s3_endpoint`."""
    if settings.neighbours.s3_endpoint:
        remote: type = OBJECT_STORES.load("remote")
        store: ObjectStores = remote(settings.neighbours.s3_endpoint, region=settings.server.region)
        return store
    return FileObjects(settings.home, sync=settings.neighbours.s3_sync)
