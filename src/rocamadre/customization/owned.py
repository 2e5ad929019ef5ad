"""Models of all accounts, for whoever owns the machine: listed, found, removed without a server."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rocamadre.catalog.host import Host
from rocamadre.catalog.targets import Target, select_targets
from rocamadre.catalog.types import Model
from rocamadre.core.errors import Conflict
from rocamadre.customization.cards import CARD
from rocamadre.customization.imports import remove_imported_model
from rocamadre.customization.model_tables import select_row
from rocamadre.customization.model_types import CustomModel, ImportedModel, Throughput
from rocamadre.customization.models import remove_custom_model
from rocamadre.customization.throughput import remove_throughput


@dataclass(frozen=True, slots=True)
class Owned:
    """A model of one account in one region.

    Attributes:
        model: As the engines run it.
        facts: What the job that made it wrote down.
        card: Markdown; empty for none.
    """

    account: str
    region: str
    model: Model
    facts: dict[str, Any]
    card: str = ""


def list_owned(host: Host) -> list[Owned]:
    """Every custom and imported model, by name."""
    with host.sql.connect() as connection:
        targets = [target for target in select_targets(connection) if target.facts is not None]
    return [_owned(host, target) for target in targets]


def find_owned(host: Host, name_or_arn: str) -> Owned | None:
    """A custom or imported model by its name or ARN, with its facts and card.

    Raises:
        Conflict: several accounts or regions have one of this name.
    """
    target = _find(host, name_or_arn, lambda target: target.facts is not None)
    if target is None:
        return None
    kind: type[Any] = CustomModel if target.kind == "custom-model" else ImportedModel
    with host.sql.connect() as connection:
        row = select_row(connection, kind, target.arn)
    found = _owned(host, target)
    path = host.settings.home / "models" / target.folder / CARD
    card = path.read_text("utf-8", errors="replace") if path.is_file() else ""
    return Owned(found.account, found.region, found.model, dict(row.facts) if row is not None else {}, card)


def remove_owned(host: Host, name_or_arn: str) -> str | None:
    """Remove a custom or imported model, or provisioned throughput whatever was committed to.

    Returns:
        The ARN; None where nothing has this name.

    Raises:
        Conflict: something runs it, or several have this name.
    """
    target = _find(host, name_or_arn, lambda target: target.facts is not None or target.kind == "provisioned-model")
    if target is None:
        return None
    kinds: dict[str, tuple[type[Any], Callable[[Host, Any], Any]]] = {
        "custom-model": (CustomModel, remove_custom_model),
        "imported-model": (ImportedModel, remove_imported_model),
        "provisioned-model": (Throughput, remove_throughput),
    }
    kind, remove = kinds[target.kind]
    with host.sql.connect() as connection:
        row = select_row(connection, kind, target.arn)
    if row is None:
        return None
    remove(host, row)
    return target.arn


def _find(host: Host, name_or_arn: str, fits: Callable[[Target], bool]) -> Target | None:
    with host.sql.connect() as connection:
        targets = [target for target in select_targets(connection) if fits(target)]
    found = [target for target in targets if name_or_arn in (target.arn, target.name, target.id)]
    if len(found) > 1:
        raise Conflict(
            f"several models are called {name_or_arn!r}; give an ARN: {', '.join(each.arn for each in found)}"
        )
    return found[0] if found else None


def _owned(host: Host, target: Target) -> Owned:
    return Owned(target.account, target.region, target.model(host.settings.home / "models"), {})
