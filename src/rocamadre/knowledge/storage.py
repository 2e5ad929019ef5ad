"""Where the vectors of a knowledge base really are, whatever store its client names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rocamadre.core.errors import InvalidRequest

EMBEDDED = "sqlite"
"""Name of the embedded store in `store.vectors.registry`."""
MEMBERS = {
    "OPENSEARCH_SERVERLESS": "opensearchServerlessConfiguration",
    "OPENSEARCH_MANAGED_CLUSTER": "opensearchManagedClusterConfiguration",
    "RDS": "rdsConfiguration",
    "PINECONE": "pineconeConfiguration",
    "REDIS_ENTERPRISE_CLOUD": "redisEnterpriseCloudConfiguration",
    "MONGO_DB_ATLAS": "mongoDbAtlasConfiguration",
    "NEPTUNE_ANALYTICS": "neptuneAnalyticsConfiguration",
    "S3_VECTORS": "s3VectorsConfiguration",
}
"""Type of a `storageConfiguration` to the member that goes with it."""


def check_storage(storage: Mapping[str, Any]) -> None:
    """See that a `storageConfiguration` has the member of its type, and no other.

    Raises:
        InvalidRequest: it has not.
    """
    if not storage:
        return
    wanted = MEMBERS.get(storage["type"])
    given = sorted(name for name in storage if name != "type")
    if wanted is None:
        raise InvalidRequest(f"storageConfiguration.type {storage['type']!r} is none of {', '.join(sorted(MEMBERS))}")
    if given != [wanted]:
        raise InvalidRequest(
            f"storageConfiguration of type {storage['type']} holds {wanted} and nothing else; "
            f"it holds {', '.join(given) or 'nothing'}"
        )
    if wanted == "s3VectorsConfiguration":
        _check_s3_vectors(storage[wanted])


def describe(storage: Mapping[str, Any], store: str) -> str:
    """The mapping in a sentence.

    >>> describe({"type": "PINECONE"}, "sqlite")
    'PINECONE was asked for; the chunks are in the embedded store (one SQLite file)'
    """
    where = (
        "in the embedded store (one SQLite file)" if store == EMBEDDED else f"in the store {store!r} of the settings"
    )
    asked = storage.get("type")
    return f"{asked} was asked for; the chunks are {where}" if asked else f"the chunks are {where}"


def _check_s3_vectors(given: Mapping[str, Any]) -> None:
    by_arn, by_name = "indexArn" in given, "vectorBucketArn" in given and "indexName" in given
    if by_arn == by_name or (by_arn and len(given) > 1):
        raise InvalidRequest(
            "s3VectorsConfiguration holds indexArn, or vectorBucketArn with indexName; it holds "
            f"{', '.join(sorted(given)) or 'nothing'}"
        )
