"""S3 Vectors: importing this module registers it."""

from __future__ import annotations

import rocamadre.api.neighbours.s3vectors.buckets
import rocamadre.api.neighbours.s3vectors.indexes  # noqa: F401
from rocamadre.api.neighbours.shaped import register

register("s3vectors")
