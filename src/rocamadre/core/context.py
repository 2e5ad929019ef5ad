"""Who asks, where, and with what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rocamadre.core.budget import TokenBudget

if TYPE_CHECKING:
    from sqlalchemy import Engine as SqlEngine

    from rocamadre.core.clock import Clock
    from rocamadre.core.settings import Settings
    from rocamadre.engines.protocol import Engines
    from rocamadre.invocations.log import InvocationLog
    from rocamadre.jobs.runner import JobRunner
    from rocamadre.observability.metrics import Metrics
    from rocamadre.store.objects.protocol import ObjectStores


@dataclass(frozen=True, slots=True)
class ServerInfo:
    """Which process this is.

    Attributes:
        address: Base URL that clients use.
        pid: Process id.
        started: On the platform clock's `monotonic()`.
    """

    address: str
    pid: int
    started: float


@dataclass(frozen=True, slots=True)
class Platform:
    """What a server is made of; built once in `server/lifespan.py`.

    Attributes:
        settings: Read once at start.
        sql: The platform's database.
        engines: Loaded models.
        metrics: Counters and histograms.
        clock: The time.
        server: This process; None outside a server.
        budget: What principals may still spend in tokens.
        invocations: Where calls of models are written down for those who want it; None for nowhere.
        jobs: Where work that outlives a request is left to be done. Always there in a server.
        objects: Buckets and objects of every account; `objects.of(context.account)`. Always there in a server.
    """

    settings: Settings
    sql: SqlEngine
    engines: Engines
    metrics: Metrics
    clock: Clock
    server: ServerInfo | None = None
    budget: TokenBudget = field(default_factory=TokenBudget)
    invocations: InvocationLog | None = None
    jobs: JobRunner = None  # type: ignore[assignment]  # Absent only where a test needs none.
    objects: ObjectStores = None  # type: ignore[assignment]  # Absent only where a test needs none.


@dataclass(frozen=True, slots=True)
class Principal:
    """Who signed the request.

    Attributes:
        name: Access key id, or the name of a bearer key. Never a secret.
        account: Twelve digits.
    """

    name: str
    account: str


@dataclass(frozen=True, slots=True)
class Context:
    """One request's surroundings.

    Attributes:
        account: Twelve digits; resources of other accounts are invisible.
        region: For example `us-east-1`; resources of other regions are invisible.
        deadline: On the platform clock's `monotonic()`; work after it is pointless.
        reply_headers: Response headers that the handler wants sent, by lower-case name.
        notes: What the access log and metrics should know (model, tokens); never prompts.
        wishes: Request headers of our own, `x-rocamadre-…`, by lower-case name: what the API's model has no member for.
    """

    platform: Platform
    principal: Principal
    account: str
    region: str
    request_id: str
    deadline: float
    reply_headers: dict[str, str] = field(default_factory=dict)
    notes: dict[str, str | int | float] = field(default_factory=dict)
    wishes: Mapping[str, str] = field(default_factory=dict)
