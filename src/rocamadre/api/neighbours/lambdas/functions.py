"""Lambda: functions and their versions."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from rocamadre.api.neighbours.answers import answers
from rocamadre.api.neighbours.pages import page_of
from rocamadre.core.context import Context
from rocamadre.neighbours.lambdas import operations as functions
from rocamadre.neighbours.lambdas.errors import FunctionInvalid
from rocamadre.neighbours.lambdas.names import parse_name
from rocamadre.neighbours.lambdas.types import LATEST, Config, Function
from rocamadre.store.sql.tags import add_tags, read_tags, remove_tags

T = TypeVar("T")

_ECHOED = ("VpcConfig", "DeadLetterConfig", "KMSKeyArn", "TracingConfig", "LoggingConfig", "SnapStart", "Architectures")
_REFUSED = (
    *("Layers", "FileSystemConfigs", "ImageConfig", "CodeSigningConfigArn", "TenancyConfig", "CapacityProviderConfig"),
    *("DurableConfig", "RuntimeConfig", "AcceleratorConfig", "PublishTo", "ImageUri", "S3ObjectVersion"),
)
_NOT_HONOURED = (
    "Runtime: python3.x only, and the Python that runs is this server's own.",
    "Role: remembered; its policies are not enforced.",
    "VpcConfig, DeadLetterConfig, KMSKeyArn, TracingConfig, Architectures: remembered and shown only.",
    "LoggingConfig: LogGroup is honoured, format and levels are not.",
    "Layers, FileSystemConfigs, container images, SnapStart and the other members of newer Lambda: refused.",
)
_CONFIG_MEMBERS = {
    "Runtime": "runtime",
    "Handler": "handler",
    "Role": "role",
    "Description": "description",
    "Timeout": "timeout_s",
    "MemorySize": "memory_mb",
}


def function_members(function: Function, *, qualified: bool = False) -> dict[str, Any]:
    """A function's configuration as every answer shows it.

    Args:
        function: Which.
        qualified: Whether the ARN names the version.
    """
    config = function.config
    arn = f"{function.arn}:{function.version}" if qualified or function.version != LATEST else function.arn
    echoed = {"TracingConfig": {"Mode": "PassThrough"}, "Architectures": ["x86_64"], **config.echoed}
    logging = {"LogFormat": "Text", "LogGroup": f"/aws/lambda/{function.name}", **echoed.pop("LoggingConfig", {})}
    return {
        "FunctionName": function.name,
        "FunctionArn": arn,
        "Runtime": config.runtime,
        "Role": config.role,
        "Handler": config.handler,
        "CodeSize": function.code_bytes,
        "Description": config.description,
        "Timeout": config.timeout_s,
        "MemorySize": config.memory_mb,
        "LastModified": f"{function.modified_at:%Y-%m-%dT%H:%M:%S}.{function.modified_at.microsecond // 1000:03d}+0000",
        "CodeSha256": base64.b64encode(bytes.fromhex(function.code_hash)).decode(),
        "Version": function.version,
        "RevisionId": function.revision,
        "State": "Active",
        "LastUpdateStatus": "Successful",
        "PackageType": "Zip",
        "EphemeralStorage": {"Size": config.scratch_mb},
        "SnapStart": {"ApplyOn": "None", "OptimizationStatus": "Off"},
        "LoggingConfig": logging,
        **{name: value for name, value in echoed.items() if name != "SnapStart"},
        **({"Environment": {"Variables": config.environment}} if config.environment else {}),
    }


def _changes(request: Mapping[str, Any]) -> dict[str, Any]:
    """What a request says of a function's configuration, by the names of `Config`.

    Raises:
        FunctionInvalid: it asks for what is not built here.
    """
    _refuse(request)
    changes = {name: request[member] for member, name in _CONFIG_MEMBERS.items() if member in request}
    if "Environment" in request:
        changes["environment"] = request["Environment"].get("Variables", {})
    if "EphemeralStorage" in request:
        changes["scratch_mb"] = request["EphemeralStorage"]["Size"]
    changes["echoed"] = {name: request[name] for name in _ECHOED if name in request}
    return changes


def _refuse(request: Mapping[str, Any]) -> None:
    for name in _REFUSED:
        if request.get(name):
            raise FunctionInvalid(f"{name} is not taken here; docs/neighbours.md says what functions can be")
    if request.get("PackageType", "Zip") != "Zip":
        raise FunctionInvalid("PackageType must be Zip: container images are not run here")
    if request.get("SnapStart", {}).get("ApplyOn", "None") != "None":
        raise FunctionInvalid("SnapStart is not taken here; leave ApplyOn at None")


def _code(ctx: Context, source: Mapping[str, Any]) -> bytes:
    """The zip that a request carries, or names in S3."""
    _refuse(source)
    if ("ZipFile" in source) == ("S3Bucket" in source or "S3Key" in source):
        raise FunctionInvalid("Please provide a source for function code: either ZipFile, or S3Bucket and S3Key")
    if "ZipFile" in source:
        return bytes(source["ZipFile"])
    return functions.code_in_bucket(ctx, source.get("S3Bucket", ""), source.get("S3Key", ""))


@answers("lambda", "CreateFunction", missing=_NOT_HONOURED)
def create_function(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """Make a function."""
    changes = _changes(request)
    lacking = [member for member in ("Runtime", "Handler") if member not in request]
    if lacking:
        raise FunctionInvalid(f"{' and '.join(lacking)} is mandatory for functions created with deployment packages")
    named = parse_name(ctx, request["FunctionName"])
    if named.qualifier:
        raise FunctionInvalid("a function is made without a version in its name")
    made = functions.create_function(
        ctx,
        named.name,
        Config(**changes),
        _code(ctx, request["Code"]),
        publish=request.get("Publish", False),
        tags=request.get("Tags"),
    )
    return function_members(made)


@answers("lambda", "UpdateFunctionCode", missing=("ImageUri, S3ObjectVersion, PublishTo: refused.",))
def update_function_code(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """Replace a function's code."""
    echoed = {"Architectures": request["Architectures"]} if "Architectures" in request else {}
    made = functions.update_code(
        ctx,
        request["FunctionName"],
        _code(ctx, request),
        publish=request.get("Publish", False),
        dry_run=request.get("DryRun", False),
        revision=request.get("RevisionId", ""),
        **echoed,
    )
    return function_members(made)


@answers("lambda", "UpdateFunctionConfiguration", missing=_NOT_HONOURED)
def update_function_configuration(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """Change a function's configuration."""
    revision = request.get("RevisionId", "")
    return function_members(functions.update_config(ctx, request["FunctionName"], _changes(request), revision=revision))


@answers("lambda", "GetFunction", missing=("Code.Location: not told; the code cannot be fetched back.",))
def get_function(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """Show a function."""
    qualifier = request.get("Qualifier", "")
    function = functions.get_function(ctx, request["FunctionName"], qualifier)
    with ctx.platform.sql.connect() as connection:
        tags = read_tags(connection, function.arn)
    answer: dict[str, Any] = {
        "Configuration": function_members(function, qualified=bool(qualifier)),
        "Code": {"RepositoryType": "Rocamadre"},
    }
    return answer | ({"Tags": tags} if tags else {})


@answers("lambda", "GetFunctionConfiguration")
def get_function_configuration(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """Show a function's configuration."""
    qualifier = request.get("Qualifier", "")
    function = functions.get_function(ctx, request["FunctionName"], qualifier)
    return function_members(function, qualified=bool(qualifier))


def _page(
    ctx: Context, items: Sequence[T], request: Mapping[str, Any], operation: str, key: Callable[[T], str]
) -> tuple[list[T], dict[str, Any]]:
    found, marker = page_of(
        ctx,
        items,
        {**request, "MaxItems": min(50, request.get("MaxItems", 50))},
        operation=f"lambda:{operation}",
        key=key,
        limit_member="MaxItems",
        token_member="Marker",
        default=50,
    )
    return found, {"NextMarker": marker} if marker else {}


@answers("lambda", "ListFunctions", missing=("MasterRegion: there is no Lambda@Edge.",))
def list_functions(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """List functions by name."""
    every = request.get("FunctionVersion") == "ALL"
    listed = functions.list_functions(ctx, all_versions=every)
    found, more = _page(ctx, listed, request, "ListFunctions", lambda item: f"{item.arn}:{item.version}")
    return {"Functions": [function_members(item, qualified=every) for item in found], **more}


@answers("lambda", "ListVersionsByFunction")
def list_versions_by_function(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """List a function's versions."""
    listed = functions.list_versions(ctx, request["FunctionName"])
    found, more = _page(ctx, listed, request, "ListVersionsByFunction", lambda item: item.version)
    return {"Versions": [function_members(item, qualified=True) for item in found], **more}


@answers("lambda", "PublishVersion", missing=("PublishTo: refused.",))
def publish_version(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """Freeze a version."""
    _refuse(request)
    try:
        code_hash = base64.b64decode(request.get("CodeSha256", ""), validate=True).hex()
    except binascii.Error as error:
        raise FunctionInvalid("CodeSha256 must be base64") from error
    made = functions.publish_version(
        ctx,
        request["FunctionName"],
        code_hash=code_hash,
        description=request.get("Description", ""),
        revision=request.get("RevisionId", ""),
    )
    return function_members(made)


@answers("lambda", "DeleteFunction")
def delete_function(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """Remove a function, or one version of it."""
    functions.delete_function(ctx, request["FunctionName"], request.get("Qualifier", ""))
    return {"StatusCode": 204}


def _arn_of(ctx: Context, resource: str) -> str:
    """The ARN of an existing function."""
    return functions.get_function(ctx, resource).arn


@answers("lambda", "TagResource", missing=("Resource: functions only.",))
def tag_resource(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """Add tags to a function."""
    arn = _arn_of(ctx, request["Resource"])
    with ctx.platform.sql.begin() as tx:
        add_tags(tx, arn, request["Tags"])
    return {}


@answers("lambda", "UntagResource", missing=("Resource: functions only.",))
def untag_resource(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """Take tags off a function."""
    arn = _arn_of(ctx, request["Resource"])
    with ctx.platform.sql.begin() as tx:
        remove_tags(tx, arn, request["TagKeys"])
    return {}


@answers("lambda", "ListTags", missing=("Resource: functions only.",))
def list_tags(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """List a function's tags."""
    arn = _arn_of(ctx, request["Resource"])
    with ctx.platform.sql.connect() as connection:
        return {"Tags": read_tags(connection, arn)}
