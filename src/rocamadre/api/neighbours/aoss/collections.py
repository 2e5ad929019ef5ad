"""OpenSearch Serverless: collections, their indexes and tags."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from rocamadre.api.neighbours.answers import answers
from rocamadre.api.neighbours.pages import page_of
from rocamadre.core.context import Context
from rocamadre.core.errors import CommonError
from rocamadre.neighbours.aoss import collections, indexes
from rocamadre.neighbours.aoss.collections import Collection
from rocamadre.neighbours.aoss.errors import CollectionConflict, CollectionInvalid, CollectionNotFound
from rocamadre.store.sql.tags import add_tags, read_tags, remove_tags

T = TypeVar("T")

_MOST = 20
_TOKEN = "clientToken: accepted; a name that is taken is a conflict all the same."
_REMEMBERED = "standbyReplicas, description, encryptionConfig: remembered; nothing is encrypted or replicated."
_REFUSED = "vectorOptions, collectionGroupName: accepted and not kept."


def page(
    ctx: Context, items: Sequence[T], request: Mapping[str, Any], operation: str, key: Callable[[T], str]
) -> tuple[list[T], dict[str, Any]]:
    """A page of a listing, and the member that leads on."""
    found, token = page_of(
        ctx,
        items,
        request,
        operation=f"aoss:{operation}",
        key=key,
        limit_member="maxResults",
        token_member="nextToken",
        default=_MOST,
    )
    return found, {"nextToken": token} if token else {}


@answers("aoss", "CreateCollection", missing=(_TOKEN, _REMEMBERED, _REFUSED))
def create_collection(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """Make a collection."""
    encryption = request.get("encryptionConfig")
    made = collections.create_collection(
        ctx,
        request["name"],
        kind=request.get("type", "TIMESERIES"),
        description=request.get("description", ""),
        standby=request.get("standbyReplicas", "ENABLED"),
        is_protected=request.get("deletionProtection") == "ENABLED",
        kms_key=None if encryption is None else encryption.get("kmsKeyArn", ""),
        tags={tag["key"]: tag["value"] for tag in request.get("tags", ())},
    )
    return {"createCollectionDetail": {**_members(made), "status": "CREATING"}}


@answers("aoss", "BatchGetCollection")
def batch_get_collection(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """Show collections by id or by name; a collection is ACTIVE as soon as it was made."""
    ids, names = request.get("ids"), request.get("names")
    if (ids is None) == (names is None):
        raise CollectionInvalid("Exactly one of names and ids must be given")
    found = collections.list_collections(ctx, ids=ids, names=names)
    known = {each.id for each in found} | {each.name for each in found}
    kind = "id" if ids is not None else "name"
    missing = [each for each in (ids or names or ()) if each not in known]
    return {
        "collectionDetails": [{**_members(each), "collectionEndpoint": endpoint_of(ctx, each.id)} for each in found],
        "collectionErrorDetails": [
            {kind: each, "errorCode": "NOT_FOUND", "errorMessage": f"The specified Collection is not found: {each}"}
            for each in missing
        ],
    }


@answers("aoss", "ListCollections")
def list_collections(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """List collections by name."""
    wanted = request.get("collectionFilters") or {}
    listed = collections.list_collections(ctx, names=[wanted["name"]] if "name" in wanted else None)
    if wanted.get("status", "ACTIVE") != "ACTIVE" or "collectionGroupName" in wanted:
        listed = []
    found, more = page(ctx, listed, request, "ListCollections", lambda each: each.name)
    shown = ("id", "name", "status", "arn", "kmsKeyArn")
    return {"collectionSummaries": [{name: _members(each)[name] for name in shown} for each in found], **more}


@answers("aoss", "UpdateCollection", missing=(_TOKEN, "vectorOptions, encryptionConfig: accepted and not kept."))
def update_collection(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """Change description or protection."""
    protection = request.get("deletionProtection")
    changed = collections.update_collection(
        ctx,
        request["id"],
        description=request.get("description"),
        is_protected=None if protection is None else protection == "ENABLED",
    )
    return {"updateCollectionDetail": {**_members(changed), "status": "UPDATING"}}


@answers("aoss", "DeleteCollection", missing=(_TOKEN,))
def delete_collection(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """Remove a collection with all in it."""
    gone = collections.delete_collection(ctx, request["id"])
    return {"deleteCollectionDetail": {"id": gone.id, "name": gone.name, "status": "DELETING"}}


@answers("aoss", "CreateIndex")
def create_index(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """Make an index."""
    body = request.get("indexSchema") or {}
    _told(lambda: indexes.create_index(ctx, request["id"], request["indexName"], body))
    return {}


@answers("aoss", "GetIndex")
def get_index(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """Show an index's settings and mappings."""
    with ctx.platform.sql.connect() as connection:
        index = _told(lambda: indexes.find_index(connection, ctx, request["id"], request["indexName"]))
    return {"indexSchema": {"settings": index.settings, "mappings": index.mappings}}


@answers("aoss", "DeleteIndex")
def delete_index(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """Remove an index with its documents."""
    _told(lambda: indexes.delete_index(ctx, request["id"], request["indexName"]))
    return {}


@answers("aoss", "TagResource")
def tag_resource(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """Add tags to a collection."""
    arn = collections.check_resource(ctx, request["resourceArn"])
    with ctx.platform.sql.begin() as tx:
        add_tags(tx, arn, {tag["key"]: tag["value"] for tag in request["tags"]})
    return {}


@answers("aoss", "UntagResource")
def untag_resource(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """Take tags off a collection."""
    arn = collections.check_resource(ctx, request["resourceArn"])
    with ctx.platform.sql.begin() as tx:
        remove_tags(tx, arn, request["tagKeys"])
    return {}


@answers("aoss", "ListTagsForResource")
def list_tags_for_resource(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """List a collection's tags."""
    arn = collections.check_resource(ctx, request["resourceArn"])
    with ctx.platform.sql.connect() as connection:
        return {"tags": [{"key": key, "value": value} for key, value in read_tags(connection, arn).items()]}


def endpoint_of(ctx: Context, identity: str) -> str:
    """Where OpenSearch's clients reach a collection: a path on the server's own address."""
    server = ctx.platform.server
    settings = ctx.platform.settings.server
    address = server.address if server is not None else f"http://{settings.host}:{settings.port}"
    return f"{address}/aoss/{identity}"


def _told(call: Callable[[], T]) -> T:
    """OpenSearch's own errors in the words of the control plane."""
    try:
        return call()
    except CommonError as error:
        if error.code == "index_not_found_exception":
            raise CollectionNotFound(error.message) from error
        if error.code == "resource_already_exists_exception":
            raise CollectionConflict(error.message) from error
        raise CollectionInvalid(error.message) from error


def _members(found: Collection) -> dict[str, Any]:
    return {
        "id": found.id,
        "name": found.name,
        "status": "ACTIVE",
        "type": found.kind,
        "description": found.description,
        "arn": found.arn,
        "kmsKeyArn": found.kms_key,
        "standbyReplicas": found.standby,
        "deletionProtection": "ENABLED" if found.is_protected else "DISABLED",
        "createdDate": found.created_ms,
        "lastModifiedDate": found.modified_ms,
    }
