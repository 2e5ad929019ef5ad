"""Changes to the catalog by command: aliases, remote models, removal."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import msgspec
from sqlalchemy import delete, insert, select

from rocamadre.catalog.families import families
from rocamadre.catalog.host import Host
from rocamadre.catalog.names import check_free, free_short_name, model_id
from rocamadre.catalog.operations import STAND_INS, find_model
from rocamadre.catalog.rows import Facts
from rocamadre.catalog.snapshot import forget, snapshot
from rocamadre.catalog.tables import ALIASES, MODELS
from rocamadre.catalog.targets import select_leaning
from rocamadre.catalog.types import Model
from rocamadre.core.errors import Conflict, InvalidRequest, NotFound
from rocamadre.core.ids import short_id

REMOTE_OWNER = "remote"

_PATTERN = re.compile(r"[A-Za-z0-9*][A-Za-z0-9*._:/@-]{0,255}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-\d")


@dataclass(frozen=True, slots=True)
class Alias:
    """A name, or pattern with `*`, for a model that is here.

    Attributes:
        model_id: The model; empty for built-in families that no local model can stand in for.
        source: `settings` and `command` decide before `built-in`.
        note: A family's name, and what it would need where no model has it.
    """

    pattern: str
    model_id: str
    source: Literal["settings", "command", "built-in"]
    note: str = ""


def list_aliases(host: Host) -> list[Alias]:
    """Every alias, in the order in which they decide."""
    catalog = host.settings.catalog
    found = [Alias(pattern, target, "settings") for pattern, target in sorted(catalog.aliases.items())]
    found += [Alias(pattern, target, "command") for pattern, target in sorted(snapshot(host).aliases.items())]
    targets = {"absent": ""} | {
        kind: getattr(catalog, setting) or catalog.default_embedder for kind, setting in STAND_INS.items()
    }
    for family in families():
        note = f"{family.name}: needs {family.needs}" if family.needs else family.name
        found += [Alias(pattern, targets[family.kind], "built-in", note) for pattern in family.patterns]
    return found


def set_alias(host: Host, pattern: str, model: str) -> Alias:
    """Let a name, or pattern with `*`, stand for a model that is here; an earlier alias of that name is replaced.

    Raises:
        InvalidRequest: not of the form of a model id, or the settings decide about this name.
        Conflict: a model that is here has this name.
        NotFound: no such model.
    """
    if not _PATTERN.fullmatch(pattern):
        raise InvalidRequest(f"{pattern!r} is no model id; letters, digits, * and ._:/@- are taken")
    if pattern in host.settings.catalog.aliases:
        raise InvalidRequest(f"the settings have an alias {pattern!r}, which decides before any other; change it there")
    forget(host)
    known = snapshot(host)
    if known.find(pattern) is not None:
        raise Conflict(f"{pattern!r} is a model that is here; an alias never hides one")
    target = find_model(host, model)
    with host.sql.begin() as tx:
        tx.execute(delete(ALIASES).where(ALIASES.c.pattern == pattern))
        now = host.clock.now().isoformat()
        tx.execute(insert(ALIASES).values(pattern=pattern, model_id=target.id, created_at=now))
    forget(host)
    return Alias(pattern, target.id, "command")


def remove_alias(host: Host, pattern: str) -> None:
    """Take away an alias that was set by command.

    Raises:
        NotFound: there is none of this name.
    """
    with host.sql.begin() as tx:
        if tx.execute(delete(ALIASES).where(ALIASES.c.pattern == pattern)).rowcount == 0:
            raise NotFound(f"no alias {pattern!r} was set by command; those of the settings are changed there")
    forget(host)


def remove_model(host: Host, id_or_name: str) -> Model:
    """Take a pulled or remote model away, its files too. A server that has it loaded keeps it until it is unloaded.

    Raises:
        NotFound: no such model.
        InvalidRequest: it is embedded or fake.
        Conflict: adapters need its weights.
    """
    forget(host)
    model = find_model(host, id_or_name)
    if model.source not in ("pulled", "remote"):
        raise InvalidRequest(f"{model.id} comes with Rocamadre ({model.source}) and cannot be removed")
    with host.sql.begin() as tx:
        row = tx.execute(select(MODELS).where(MODELS.c.id == model.id)).one_or_none()
        if row is None:
            raise NotFound(f"{model.id} was removed by another process")
        if row.folder and (leaning := select_leaning(tx, row.folder)):
            raise Conflict(
                f"{model.id} is the base of {', '.join(leaning[:3])}, which are adapters; delete those first"
            )
        tx.execute(delete(MODELS).where(MODELS.c.id == model.id))
    forget(host)
    if row.folder:
        remove_folder(host.settings.home / "models" / row.folder)
        run = msgspec.json.decode(row.origin, type=dict[str, object]).get("run")
        if isinstance(run, str) and run.startswith("pull-") and "/" not in run:
            shutil.rmtree(host.settings.home / "runs" / run, ignore_errors=True)
    return model


def remove_folder(folder: Path) -> None:
    """Remove a model's files: first out of sight, so that a half-removed folder is never taken for a model."""
    aside = folder.with_name(f".removed-{short_id(8)}")
    try:
        folder.rename(aside)
    except FileNotFoundError:
        return
    shutil.rmtree(aside, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class RemoteSpec:
    """A model elsewhere.

    Attributes:
        name: Second part of the id here, `remote.<name>-v1:0`.
        model: Its name there.
        base_url: Of an OpenAI-compatible server, up to and with `/v1`; or
        region: of Amazon Bedrock, spoken to through boto3 and its credentials.
        endpoint_url: Another address for `region`'s service.
        key_env: Environment variable with the API key, read when the engine starts; the key itself is not stored.
        context_length: In tokens.
        dimensions: Length of its vectors; 0 for a text model.
    """

    name: str
    model: str
    base_url: str = ""
    region: str = ""
    endpoint_url: str = ""
    key_env: str = ""
    context_length: int = 8192
    dimensions: int = 0


def add_remote(host: Host, spec: RemoteSpec) -> Model:
    """List a model that another server runs. Nothing is asked of that server yet.

    Raises:
        InvalidRequest: an address, region or variable is not of its form.
        Conflict: the name is taken.
    """
    options = remote_options(spec)
    new_id = model_id(REMOTE_OWNER, spec.name)
    forget(host)
    known = snapshot(host)
    check_free(known, new_id)
    facts = Facts(
        name=spec.name,
        provider=REMOTE_OWNER,
        engine="remote",
        output_modalities=("EMBEDDING",) if spec.dimensions else ("TEXT",),
        context_length=spec.context_length,
        dimensions=spec.dimensions,
        source="remote",
        options=options,
    )
    row = {
        "id": new_id,
        "short_name": free_short_name(known, new_id),
        "folder": "",
        "facts": msgspec.json.encode(facts).decode(),
        "origin": msgspec.json.encode({"origin": spec.base_url or f"bedrock:{spec.region}"}).decode(),
        "created_at": host.clock.now().isoformat(),
    }
    with host.sql.begin() as tx:
        tx.execute(insert(MODELS).values(row))
    forget(host)
    return snapshot(host).models[new_id]


def remote_options(spec: RemoteSpec) -> dict[str, str]:
    """What the remote engine is told of a model elsewhere (`engines/remote/`).

    Raises:
        InvalidRequest: an address, region or variable is not of its form.
    """
    if bool(spec.base_url) == bool(spec.region):
        raise InvalidRequest("give either base_url of an OpenAI-compatible server or region of Amazon Bedrock")
    for name in ("base_url", "endpoint_url"):
        address = getattr(spec, name)
        parts = urlsplit(address)
        if address and (parts.scheme not in ("http", "https") or not parts.hostname or parts.username):
            raise InvalidRequest(
                f"{name} is {address!r}; give http:// or https:// and a host, without credentials in it"
            )
    if spec.region and not _REGION.fullmatch(spec.region):
        raise InvalidRequest(f"region is {spec.region!r}; it looks like us-east-1")
    if spec.key_env and not _VARIABLE.fullmatch(spec.key_env):
        raise InvalidRequest("key_env is the name of an environment variable, not the key itself")
    if not spec.model or spec.context_length < 1 or spec.dimensions < 0:
        raise InvalidRequest("model must be named, context_length at least 1 and dimensions at least 0")
    values = {
        "protocol": "openai" if spec.base_url else "bedrock",
        "model": spec.model,
        "base_url": spec.base_url.rstrip("/"),
        "region": spec.region,
        "endpoint_url": spec.endpoint_url,
        "api_key_env": spec.key_env,
    }
    return {name: value for name, value in values.items() if value}
