"""Models that belong to one account in one region, and what else an ARN can name that runs one.

The rooms above write here what they make: custom and imported models, deployments, provisioned throughput. The catalog
reads it where it resolves an id, and knows nothing of how they came about.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeAlias

import msgspec
from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy import Engine as SqlEngine

from rocamadre.catalog.rows import Facts
from rocamadre.catalog.tables import TARGETS
from rocamadre.catalog.types import Model
from rocamadre.core.context import Context

KINDS = ("custom-model", "imported-model", "custom-model-deployment", "provisioned-model")
"""Of ARNs."""

IMPORTED = "imported"
"""The `base_id` of models that have no foundation model behind them: their bodies are told apart by their keys."""

FINE_TUNED = "ft:"
"""How the OpenAI wire's ids of custom models begin; their last part, after a colon, is the ARN's last."""

_NAME = re.compile(r"([0-9a-zA-Z][_-]?){1,63}")

OWN_FOLDER = "{folder}"
"""In a target's options: the folder of its weights, wherever that is; see `portable`."""

State: TypeAlias = Literal["ready", "creating", "failed"]


@dataclass(frozen=True, slots=True)
class Target:
    """Something of one account that can be asked to answer.

    Attributes:
        kind: One of `KINDS`.
        id: The ARN's last part; twelve letters and digits.
        name: By which it may be asked for too, in its account and region; empty for none.
        state: Only `ready` ones answer; the jobs that make the others may ask already.
        reason: Why it failed.
        base_id: The foundation model id whose body format InvokeModel reads; `IMPORTED` for none.
        runs: ARN of the model that it runs; empty where it is a model itself.
        slots: Requests at a time of an engine that it has for itself; 0 where it shares the model's.
        folder: Of its weights, below `<home>/models`; empty where `runs` says.
        facts: Of the model; None where `runs` says.
    """

    arn: str
    account: str
    region: str
    kind: str
    id: str
    name: str
    state: State
    reason: str
    base_id: str
    runs: str = ""
    slots: int = 0
    folder: str = ""
    facts: Facts | None = None

    def model(self, models_folder: Path) -> Model:
        """The model that it is; its id is the ARN.

        Args:
            models_folder: `<home>/models`.
        """
        assert self.facts is not None
        facts = self.facts
        values = {field: getattr(facts, field) for field in Facts.__struct_fields__ if field != "file"}
        own = str(models_folder / self.folder)
        values["options"] = _each_text(facts.options, lambda text: text.replace(OWN_FOLDER, own))
        path = Path(os.path.normpath(models_folder / self.folder / facts.file)) if self.folder else None
        return Model(id=self.arn, short_name=self.name or self.id, path=path, **values)


def insert_target(tx: Connection, target: Target) -> None:
    """Store a new one.

    Raises:
        IntegrityError: the ARN is there.
    """
    values = {name: getattr(target, name) for name in Target.__slots__}
    tx.execute(insert(TARGETS).values(values | {"facts": _encoded(target.facts)}))


def change_target(tx: Connection, arn: str, **values: Any) -> bool:
    """Write some of its columns; False when it is not there."""
    if "facts" in values:
        values["facts"] = _encoded(values["facts"])
    return tx.execute(update(TARGETS).where(TARGETS.c.arn == arn).values(values)).rowcount == 1


def delete_target(tx: Connection, arn: str) -> bool:
    """Remove it; False when it is not there."""
    return tx.execute(delete(TARGETS).where(TARGETS.c.arn == arn)).rowcount == 1


def select_target(tx: Connection, account: str, region: str, arn: str) -> Target | None:
    """One by ARN, if it is this account's in this region."""
    return _one(tx, _mine(account, region) & (TARGETS.c.arn == arn))


def is_target(sql: SqlEngine, arn: str) -> bool:
    """Whether an ARN still stands for something, whoever's it is."""
    with sql.connect() as connection:
        return connection.execute(select(TARGETS.c.arn).where(TARGETS.c.arn == arn)).first() is not None


def select_named(tx: Connection, account: str, region: str, name: str) -> Target | None:
    """One by name; a custom model before an imported one."""
    return _one(tx, _mine(account, region) & (TARGETS.c.name == name))


def select_model_by_id(tx: Connection, account: str, region: str, model_id: str) -> Target | None:
    """A model of its own by the last part of its ARN."""
    return _one(tx, _mine(account, region) & (TARGETS.c.id == model_id) & (TARGETS.c.runs == ""))


def is_target_name(name: str) -> bool:
    """Whether an account's own model could be called so, or it is an id of the OpenAI wire for one."""
    return name.startswith(FINE_TUNED) or _NAME.fullmatch(name) is not None


def find_target(ctx: Context, wanted: str) -> Target | None:
    """What an ARN, a name or an `ft:` id stands for in the caller's account and region."""
    with ctx.platform.sql.connect() as connection:
        if wanted.startswith("arn:"):
            return select_target(connection, ctx.account, ctx.region, wanted)
        if wanted.startswith(FINE_TUNED):
            return select_model_by_id(connection, ctx.account, ctx.region, wanted.rpartition(":")[2])
        return select_named(connection, ctx.account, ctx.region, wanted)


def select_targets(tx: Connection, account: str | None = None, region: str | None = None) -> list[Target]:
    """All of one account in one region, or of everybody, by kind and name."""
    query = select(TARGETS)
    if account is not None:
        query = query.where(TARGETS.c.account == account)
    if region is not None:
        query = query.where(TARGETS.c.region == region)
    return [_target(row) for row in tx.execute(query.order_by(TARGETS.c.kind, TARGETS.c.name, TARGETS.c.arn))]


def select_users(tx: Connection, arn: str) -> list[str]:
    """ARNs of what runs a model."""
    query = select(TARGETS.c.arn).where(TARGETS.c.runs == arn).order_by(TARGETS.c.arn)
    return list(tx.execute(query).scalars())


def portable(options: Mapping[str, Any], folder: str) -> dict[str, Any]:
    """Options without the place where a model's folder happens to be, so that a home can be moved and a model copied.

    >>> portable({"adapter": "/data/models/custom-a/adapter.gguf"}, "custom-a")
    {'adapter': '{folder}/adapter.gguf'}
    """

    def shortened(text: str) -> str:
        before, found, rest = text.partition(f"/models/{folder}/")
        return f"{OWN_FOLDER}/{rest}" if found and before.startswith("/") else text

    return _each_text(options, shortened)


def select_leaning(tx: Connection, folder: str) -> list[str]:
    """ARNs of models whose weights are in another's folder: adapters over it."""
    found = []
    for target in select_targets(tx):
        if target.facts is not None and target.folder != folder:
            place = os.path.normpath(os.path.join(target.folder, target.facts.file))
            if place == folder or place.startswith(f"{folder}/"):
                found.append(target.arn)
    return found


def dedicated(model: Model, target: Target) -> Model:
    """A model as an engine of its own runs it for one target."""
    return replace(model, id=target.arn, options={**model.options, "slots": target.slots}, dedicated=True)


def _one(tx: Connection, condition: Any) -> Target | None:
    row = tx.execute(select(TARGETS).where(condition).order_by(TARGETS.c.kind, TARGETS.c.arn)).first()
    return None if row is None else _target(row)


def _mine(account: str, region: str) -> Any:
    return (TARGETS.c.account == account) & (TARGETS.c.region == region)


def _each_text(options: Mapping[str, Any], change: Callable[[str], str]) -> dict[str, Any]:
    """Options with every text in them changed, lists of texts too."""

    def changed(value: Any) -> Any:
        if isinstance(value, str):
            return change(value)
        return [changed(each) for each in value] if isinstance(value, list | tuple) else value

    return {name: changed(value) for name, value in options.items()}


def _encoded(facts: Facts | None) -> str:
    return "" if facts is None else msgspec.json.encode(facts).decode()


def _target(row: Any) -> Target:
    values = {name: getattr(row, name) for name in Target.__slots__}
    return Target(**values | {"facts": msgspec.json.decode(row.facts, type=Facts) if row.facts else None})
