"""Functions: make, change, list, remove."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec
from sqlalchemy import Connection, delete, exists, insert, select, update
from sqlalchemy.exc import IntegrityError

from rocamadre.core.context import Context
from rocamadre.core.errors import NotFound
from rocamadre.neighbours.lambdas.archive import MAX_ZIP_BYTES, discard, unpack
from rocamadre.neighbours.lambdas.errors import CodeTooLarge, FunctionExists, FunctionInvalid, PreconditionFailed
from rocamadre.neighbours.lambdas.names import Named, function_arn, not_found, parse_name
from rocamadre.neighbours.lambdas.tables import CODE, FUNCTIONS, PERMISSIONS
from rocamadre.neighbours.lambdas.types import LATEST, Config, Function
from rocamadre.store.sql.tags import add_tags, forget_tags

MAX_ENVIRONMENT_BYTES = 4096
MAX_TIMEOUT_S = 900
MEMORY_MB = range(128, 10_241)
SCRATCH_MB = range(512, 10_241)

_RUNTIME = re.compile(r"python3\.\d{1,2}")
_VARIABLE = re.compile(r"[a-zA-Z][a-zA-Z0-9_]+")
_RESERVED = re.compile(
    r"_HANDLER|_X_AMZN_TRACE_ID|AWS_REGION|AWS_DEFAULT_REGION|AWS_EXECUTION_ENV|AWS_LAMBDA_\w+|AWS_ACCESS_KEY|"
    r"AWS_ACCESS_KEY_ID|AWS_SECRET_ACCESS_KEY|AWS_SESSION_TOKEN|LAMBDA_TASK_ROOT|LAMBDA_RUNTIME_DIR|TZ"
)


def create_function(
    ctx: Context,
    name: str,
    config: Config,
    code: bytes,
    *,
    publish: bool = False,
    tags: Mapping[str, str] | None = None,
) -> Function:
    """Make a function.

    Args:
        ctx: Whose.
        name: Letters, digits, `-` and `_`, at most 64.
        config: What it shall be like.
        code: A zip.
        publish: Whether its first version is published at once, and returned.
        tags: At most 50.

    Raises:
        FunctionExists: there is one of this name.
        FunctionInvalid: something in `config`, or the zip, is not valid.
        CodeTooLarge: the zip is, packed or unpacked.
    """
    check_config(config)
    code_hash = _checked_code(ctx, code)
    named = Named(name, "")
    for last_try in (False, True):
        try:
            with ctx.platform.sql.begin() as tx:
                _keep_code(tx, code_hash, code)
                _insert(tx, ctx, named, config, code_hash=code_hash, code_bytes=len(code))
                add_tags(tx, function_arn(ctx, name), tags or {})
                return _publish(tx, ctx, name) if publish else find_function(tx, ctx, named)
        except IntegrityError as error:
            # Or another function was made of the same code at the same moment: then the second try finds the code.
            if last_try or _exists(ctx, named):
                raise FunctionExists(f"Function already exist: {name}") from error
    raise AssertionError("unreachable")


def get_function(ctx: Context, name: str, qualifier: str = "") -> Function:
    """A function by name or ARN; `$LATEST` unless a version is named.

    Raises:
        FunctionNotFound: there is none.
    """
    with ctx.platform.sql.connect() as connection:
        return find_function(connection, ctx, parse_name(ctx, name, qualifier))


def read_code(ctx: Context, function: Function) -> bytes:
    """A function's zip."""
    with ctx.platform.sql.connect() as connection:
        code = connection.execute(select(CODE.c.zip).where(CODE.c.hash == function.code_hash)).scalar()
    if code is None:
        raise not_found(ctx, function.name, function.version)  # Deleted just now.
    return bytes(code)


def list_functions(ctx: Context, *, all_versions: bool = False) -> list[Function]:
    """Functions by name, and with `all_versions` their published versions, oldest first."""
    query = select(FUNCTIONS).where(FUNCTIONS.c.account == ctx.account, FUNCTIONS.c.region == ctx.region)
    if not all_versions:
        query = query.where(FUNCTIONS.c.version == LATEST)
    with ctx.platform.sql.connect() as connection:
        found = [_function(ctx, row) for row in connection.execute(query)]
    return sorted(found, key=lambda item: (item.name, _order(item.version)))


def list_versions(ctx: Context, name: str) -> list[Function]:
    """`$LATEST` and the published versions of one function, oldest first.

    Raises:
        FunctionNotFound: there is none.
    """
    named = parse_name(ctx, name)
    query = select(FUNCTIONS).where(_is(ctx, named.name))
    with ctx.platform.sql.connect() as connection:
        found = [_function(ctx, row) for row in connection.execute(query)]
    if not found:
        raise not_found(ctx, named.name)
    return sorted(found, key=lambda item: _order(item.version))


def update_code(
    ctx: Context,
    name: str,
    code: bytes,
    *,
    publish: bool = False,
    dry_run: bool = False,
    revision: str = "",
    **echoed: Any,
) -> Function:
    """Give a function new code.

    Raises:
        FunctionNotFound: there is no such function.
        PreconditionFailed: `revision` is given, and is another's.
        FunctionInvalid: the zip is not valid.
        CodeTooLarge: the zip is, packed or unpacked.
    """
    code_hash = _checked_code(ctx, code)
    named = parse_name(ctx, name)
    with ctx.platform.sql.begin() as tx:
        old = _for_change(tx, ctx, named, revision)
        if dry_run:
            return old
        _keep_code(tx, code_hash, code)
        config = msgspec.structs.replace(old.config, echoed={**old.config.echoed, **echoed})
        _change(tx, ctx, named.name, config=_encoded(config), code_hash=code_hash, code_bytes=len(code))
        made = _publish(tx, ctx, named.name) if publish else find_function(tx, ctx, named)
        unused = _forget_code(tx, old.code_hash)
    if unused:
        discard(code_folder(ctx, old.code_hash))
    return made


def update_config(ctx: Context, name: str, changes: Mapping[str, Any], *, revision: str = "") -> Function:
    """Change what `changes` names, by the names of `Config`; `echoed` is added to what is there.

    Raises:
        FunctionNotFound: there is no such function.
        PreconditionFailed: `revision` is given, and is another's.
        FunctionInvalid: a value is not valid.
    """
    named = parse_name(ctx, name)
    with ctx.platform.sql.begin() as tx:
        old = _for_change(tx, ctx, named, revision)
        merged = {**changes, "echoed": {**old.config.echoed, **changes.get("echoed", {})}}
        config = msgspec.structs.replace(old.config, **merged)
        check_config(config)
        _change(tx, ctx, named.name, config=_encoded(config))
        return find_function(tx, ctx, named)


def publish_version(
    ctx: Context, name: str, *, code_hash: str = "", description: str = "", revision: str = ""
) -> Function:
    """Freeze what `$LATEST` is now as a numbered version; nothing new is made while nothing has changed.

    Raises:
        FunctionNotFound: there is no such function.
        PreconditionFailed: `revision` is given, and is another's.
        FunctionInvalid: `code_hash` is given (base64), and is another's.
    """
    named = parse_name(ctx, name)
    with ctx.platform.sql.begin() as tx:
        latest = _for_change(tx, ctx, named, revision)
        if code_hash and code_hash != latest.code_hash:
            raise FunctionInvalid("CodeSHA256 is different from current CodeSHA256 in $LATEST. Please try again.")
        return _publish(tx, ctx, named.name, description=description)


def delete_function(ctx: Context, name: str, qualifier: str = "") -> None:
    """Remove a function with all versions, permissions and tags; or one version of it.

    Raises:
        FunctionNotFound: there is no such function or version.
        FunctionInvalid: `$LATEST` alone is named.
    """
    named = parse_name(ctx, name, qualifier)
    if named.qualifier == LATEST:
        raise FunctionInvalid("$LATEST version cannot be deleted without deleting the function.")
    with ctx.platform.sql.begin() as tx:
        rows = _is(ctx, named.name) & (FUNCTIONS.c.version == named.qualifier if named.qualifier else True)
        hashes = set(tx.execute(select(FUNCTIONS.c.code_hash).where(rows)).scalars())
        if not hashes:
            raise not_found(ctx, named.name, named.qualifier)
        tx.execute(delete(FUNCTIONS).where(rows))
        if not named.qualifier:
            tx.execute(
                delete(PERMISSIONS).where(
                    PERMISSIONS.c.account == ctx.account,
                    PERMISSIONS.c.region == ctx.region,
                    PERMISSIONS.c.name == named.name,
                )
            )
            forget_tags(tx, function_arn(ctx, named.name))
        unused = [code_hash for code_hash in hashes if _forget_code(tx, code_hash)]
    for code_hash in unused:
        discard(code_folder(ctx, code_hash))


def code_in_bucket(ctx: Context, bucket: str, key: str) -> bytes:
    """A zip that lies in S3.

    Raises:
        FunctionInvalid: there is no such object.
        CodeTooLarge: it is larger than a zip may be.
    """
    objects = ctx.platform.objects.of(ctx.account)
    try:
        size = objects.head(bucket, key).size_bytes
        if size > MAX_ZIP_BYTES:
            raise CodeTooLarge(f"s3://{bucket}/{key} has {size} bytes; at most {MAX_ZIP_BYTES} are taken")
        return objects.read(bucket, key)
    except NotFound as error:
        raise FunctionInvalid(f"Error occurred while GetObject. {error.message}") from error


def code_folder(ctx: Context, code_hash: str) -> Path:
    """Where a zip is unpacked; may be missing, and is then made when it is needed."""
    return ctx.platform.settings.home / "lambda" / "code" / code_hash


def find_function(tx: Connection, ctx: Context, named: Named) -> Function:
    """A function in a transaction.

    Raises:
        FunctionNotFound: there is none.
    """
    query = select(FUNCTIONS).where(_is(ctx, named.name), FUNCTIONS.c.version == named.version)
    row = tx.execute(query).one_or_none()
    if row is None:
        raise not_found(ctx, named.name, named.qualifier)
    return _function(ctx, row)


def _exists(ctx: Context, named: Named) -> bool:
    with ctx.platform.sql.connect() as connection:
        return connection.execute(select(FUNCTIONS.c.name).where(_is(ctx, named.name))).first() is not None


def check_config(config: Config) -> None:
    """Refuse what functions cannot be.

    Raises:
        FunctionInvalid: a value is out of range, reserved or not built here.
    """
    if not _RUNTIME.fullmatch(config.runtime):
        raise FunctionInvalid(f"the runtime {config.runtime!r} is not here: functions run in Python (python3.x)")
    if not 1 <= config.timeout_s <= MAX_TIMEOUT_S:
        raise FunctionInvalid(f"Timeout is {config.timeout_s}; it must be from 1 to {MAX_TIMEOUT_S} seconds")
    if config.memory_mb not in MEMORY_MB:
        raise FunctionInvalid(f"MemorySize is {config.memory_mb}; it must be from 128 to 10240 MB")
    if config.scratch_mb not in SCRATCH_MB:
        raise FunctionInvalid(f"EphemeralStorage.Size is {config.scratch_mb}; it must be from 512 to 10240 MB")
    size = 0
    for name, value in config.environment.items():
        size += len(name.encode("utf-8", "replace")) + len(value.encode("utf-8", "replace"))
        if not _VARIABLE.fullmatch(name) or "\0" in value:
            raise FunctionInvalid(f"the environment variable {name[:100]!r} has a name or value that is not taken")
        if _RESERVED.fullmatch(name):
            raise FunctionInvalid(
                "Lambda was unable to configure your environment variables because the environment variables you have "
                f"provided contains reserved keys that are currently not supported for modification: {name}"
            )
    if size > MAX_ENVIRONMENT_BYTES:
        raise FunctionInvalid(f"the environment variables have {size} bytes; at most {MAX_ENVIRONMENT_BYTES} are taken")


def _checked_code(ctx: Context, code: bytes) -> str:
    code_hash = hashlib.sha256(code).hexdigest()
    unpack(code, code_folder(ctx, code_hash))
    return code_hash


def _keep_code(tx: Connection, code_hash: str, code: bytes) -> None:
    if not tx.execute(select(exists().where(CODE.c.hash == code_hash))).scalar():
        tx.execute(insert(CODE).values(hash=code_hash, zip=code))


def _forget_code(tx: Connection, code_hash: str) -> bool:
    """Let code go that no function has any more; whether it went."""
    gone = delete(CODE).where(CODE.c.hash == code_hash, ~exists().where(FUNCTIONS.c.code_hash == code_hash))
    return tx.execute(gone).rowcount == 1


def _insert(tx: Connection, ctx: Context, named: Named, config: Config, *, code_hash: str, code_bytes: int) -> None:
    row = {
        "account": ctx.account,
        "region": ctx.region,
        "name": named.name,
        "version": named.version,
        "config": _encoded(config),
        "code_hash": code_hash,
        "code_bytes": code_bytes,
        "revision": str(uuid4()),
        "modified_at": ctx.platform.clock.now().isoformat(),
        "last_version": 0,
    }
    tx.execute(insert(FUNCTIONS).values(row))


def _change(tx: Connection, ctx: Context, name: str, **values: Any) -> None:
    now = ctx.platform.clock.now().isoformat()
    rows = _is(ctx, name) & (FUNCTIONS.c.version == LATEST)
    tx.execute(update(FUNCTIONS).where(rows).values(**values, revision=str(uuid4()), modified_at=now))


def _publish(tx: Connection, ctx: Context, name: str, *, description: str = "") -> Function:
    latest = find_function(tx, ctx, Named(name, ""))
    rows = _is(ctx, name) & (FUNCTIONS.c.version == LATEST)
    last: int = tx.execute(select(FUNCTIONS.c.last_version).where(rows)).scalar_one()
    config = msgspec.structs.replace(latest.config, description=description or latest.config.description)
    query = select(FUNCTIONS).where(_is(ctx, name), FUNCTIONS.c.version == str(last))
    newest = tx.execute(query).one_or_none()
    if newest is not None and (newest.code_hash, newest.config) == (latest.code_hash, _encoded(config)):
        return _function(ctx, newest)
    tx.execute(update(FUNCTIONS).where(rows).values(last_version=last + 1))
    made = Named(name, str(last + 1))
    _insert(tx, ctx, made, config, code_hash=latest.code_hash, code_bytes=latest.code_bytes)
    return find_function(tx, ctx, made)


def _for_change(tx: Connection, ctx: Context, named: Named, revision: str) -> Function:
    if named.qualifier not in ("", LATEST):
        raise FunctionInvalid(f"version {named.qualifier} is published and cannot be changed; change $LATEST")
    function = find_function(tx, ctx, named)
    if revision and revision != function.revision:
        raise PreconditionFailed(
            "The RevisionId provided does not match the latest RevisionId. Call the GetFunction/GetAlias API to "
            "retrieve the latest RevisionId"
        )
    return function


def _is(ctx: Context, name: str) -> Any:
    return (FUNCTIONS.c.account == ctx.account) & (FUNCTIONS.c.region == ctx.region) & (FUNCTIONS.c.name == name)


def _order(version: str) -> int:
    return 0 if version == LATEST else int(version)


def _encoded(config: Config) -> str:
    return msgspec.json.encode(config, order="sorted").decode()


def _function(ctx: Context, row: Any) -> Function:
    return Function(
        account=row.account,
        region=row.region,
        name=row.name,
        arn=function_arn(ctx, row.name),
        version=row.version,
        config=msgspec.json.decode(row.config, type=Config),
        code_hash=row.code_hash,
        code_bytes=row.code_bytes,
        revision=row.revision,
        modified_at=datetime.fromisoformat(row.modified_at),
    )
