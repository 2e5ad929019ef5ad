"""One S3 request: what it addresses, and which operation it means."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import cached_property, partial
from typing import Any, ParamSpec, TypeAlias, TypeVar
from urllib.parse import unquote_to_bytes

from rocamadre.api.http import Reply
from rocamadre.api.neighbours.dispatch import NeighbourRequest
from rocamadre.api.neighbours.s3.hosts import bucket_of_host
from rocamadre.core.context import Context
from rocamadre.core.errors import CommonError, InvalidRequest
from rocamadre.store.objects.files import AccountObjects, FileObjects

P = ParamSpec("P")
T = TypeVar("T")

THREADS = ThreadPoolExecutor(16, thread_name_prefix="objects")
"""Where files are read and written: never on the event loop, nor in the threads that everything else uses."""

_VERBS = {"GET": "Get", "PUT": "Put", "DELETE": "Delete", "POST": "Post", "HEAD": "Head"}
_UNBUILT = {
    "accelerate": "AccelerateConfiguration",
    "acl": "Acl",
    "analytics": "AnalyticsConfiguration",
    "cors": "Cors",
    "encryption": "Encryption",
    "intelligent-tiering": "IntelligentTieringConfiguration",
    "inventory": "InventoryConfiguration",
    "legal-hold": "LegalHold",
    "lifecycle": "LifecycleConfiguration",
    "logging": "Logging",
    "metadataConfiguration": "MetadataConfiguration",
    "metadataTable": "MetadataTableConfiguration",
    "metrics": "MetricsConfiguration",
    "notification": "NotificationConfiguration",
    "object-lock": "ObjectLockConfiguration",
    "ownershipControls": "OwnershipControls",
    "policy": "Policy",
    "policyStatus": "PolicyStatus",
    "publicAccessBlock": "PublicAccessBlock",
    "renameObject": "Rename",
    "replication": "Replication",
    "requestPayment": "RequestPayment",
    "restore": "Restore",
    "retention": "Retention",
    "select": "SelectContent",
    "session": "Session",
    "torrent": "Torrent",
    "website": "Website",
}
"""Subresources that are not here, and the words in their operations' names."""


def address(request: NeighbourRequest) -> tuple[str, str]:
    """Bucket and key, each empty where the request names none.

    Raises:
        CommonError: InvalidURI: the path is no UTF-8.
    """
    path = request.raw_path.removeprefix(b"/")
    bucket = bucket_of_host(request.headers.get("host", ""))
    try:
        if bucket:
            return bucket, unquote_to_bytes(path).decode()
        name, _, key = path.partition(b"/")
        return unquote_to_bytes(name).decode(), unquote_to_bytes(key).decode()
    except UnicodeDecodeError:
        raise CommonError("InvalidURI", 400, "Couldn't parse the specified URI: keys are UTF-8") from None


def name_operation(request: NeighbourRequest) -> str:
    """The operation by S3's name; of those that are not here too."""
    try:
        bucket, key = address(request)
        parameters = request.parameters()
    except (CommonError, InvalidRequest):
        return ""  # Refused with its reason once it is called.
    if not bucket:
        return {"GET": "ListBuckets"}.get(request.method, "")
    for name, words in _UNBUILT.items():
        if name in parameters:
            return f"{_VERBS.get(request.method, '')}{'Object' if key else 'Bucket'}{words}"
    return (_of_object if key else _of_bucket)(request, parameters)


def _of_bucket(request: NeighbourRequest, parameters: dict[str, str]) -> str:
    match request.method:
        case "HEAD":
            return "HeadBucket"
        case "PUT" | "DELETE":
            verb, noun = _VERBS[request.method], {"tagging": "BucketTagging", "versioning": "BucketVersioning"}
            for name, words in noun.items():
                if name in parameters:
                    return verb + words
            return "CreateBucket" if request.method == "PUT" else "DeleteBucket"
        case "GET":
            for name, operation in (
                ("location", "GetBucketLocation"),
                ("tagging", "GetBucketTagging"),
                ("versioning", "GetBucketVersioning"),
                ("versions", "ListObjectVersions"),
                ("uploads", "ListMultipartUploads"),
            ):
                if name in parameters:
                    return operation
            return "ListObjectsV2" if parameters.get("list-type") == "2" else "ListObjects"
        case "POST":
            return "DeleteObjects" if "delete" in parameters else "PostObject"
    return ""


def _of_object(request: NeighbourRequest, parameters: dict[str, str]) -> str:
    is_copy = "x-amz-copy-source" in request.headers
    names = {
        "PUT": (
            ("uploadId", "UploadPartCopy" if is_copy else "UploadPart"),
            ("tagging", "PutObjectTagging"),
            ("", "CopyObject" if is_copy else "PutObject"),
        ),
        "GET": (
            ("uploadId", "ListParts"),
            ("tagging", "GetObjectTagging"),
            ("attributes", "GetObjectAttributes"),
            ("", "GetObject"),
        ),
        "HEAD": (("", "HeadObject"),),
        "DELETE": (("uploadId", "AbortMultipartUpload"), ("tagging", "DeleteObjectTagging"), ("", "DeleteObject")),
        "POST": (("uploads", "CreateMultipartUpload"), ("uploadId", "CompleteMultipartUpload")),
    }.get(request.method, ())
    return next((operation for name, operation in names if not name or name in parameters), "")


@dataclass(frozen=True)
class Call:
    """One request on its way through an operation.

    Attributes:
        bucket: Empty where none is named; not checked.
        key: The same.
        parameters: Of the query.
    """

    context: Context
    request: NeighbourRequest
    bucket: str
    key: str
    parameters: dict[str, str]

    @cached_property
    def store(self) -> AccountObjects:
        """The caller's objects."""
        objects = self.context.platform.objects
        assert isinstance(objects, FileObjects), "requests are refused while the objects are elsewhere"
        return objects.of(self.context.account)

    def header(self, name: str) -> str:
        """A header's value; empty where there is none."""
        return self.request.headers.get(name, "")

    def number(self, name: str, default: int, *, least: int = 0, most: int = 2**31 - 1) -> int:
        """A number in the query.

        Raises:
            CommonError: InvalidArgument.
        """
        text = self.parameters.get(name, "")
        if not text:
            return default
        if not (text.isascii() and text.isdecimal() and len(text) < 11 and least <= int(text) <= most):
            raise bad_argument(f"{name} is {text[:40]!r}; it must be a whole number from {least} to {most}")
        return int(text)


def bad_argument(message: str) -> CommonError:
    """S3's error for a value that it does not take."""
    return CommonError("InvalidArgument", 400, message)


Operation: TypeAlias = Callable[[Call], Awaitable[Reply]]

OPERATIONS: dict[str, Operation] = {}


def operation(name: str) -> Callable[[Operation], Operation]:
    """Register a function as one of S3's operations."""

    def register(function: Operation) -> Operation:
        if name in OPERATIONS:
            raise ValueError(f"s3:{name} has two functions")
        OPERATIONS[name] = function
        return function

    return register


async def in_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a function in one of the `THREADS`."""
    return await asyncio.get_running_loop().run_in_executor(THREADS, partial(function, *args, **kwargs))


def http_date(moment: datetime) -> str:
    """A time as headers have it, to the second."""
    return format_datetime(moment.astimezone(UTC).replace(microsecond=0), usegmt=True)


def xml_date(moment: datetime) -> str:
    """A time as S3's documents have it."""
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


def owner_id(account: str) -> str:
    """The canonical user id that stands for an account."""
    return hashlib.sha256(account.encode()).hexdigest()


def check_owner(call: Call, header: str = "x-amz-expected-bucket-owner") -> None:
    """Refuse a request that expects the bucket to be another account's; whose it is, the store checks.

    Raises:
        CommonError: AccessDenied.
    """
    expected = call.header(header)
    if expected and expected != call.context.account:
        raise CommonError("AccessDenied", 403, f"the bucket is not account {expected[:20]!r}'s, as {header} expects")


def version_of(parameters: dict[str, Any]) -> None:
    """Refuse a version other than `null`, the only one that objects without versioning have.

    Raises:
        CommonError: NoSuchVersion.
    """
    version = parameters.get("versionId", "null")
    if version != "null":
        raise CommonError("NoSuchVersion", 404, f"there is no version {version[:80]!r}: versioning is not built")
