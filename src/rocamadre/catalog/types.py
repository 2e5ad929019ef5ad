"""What the catalog knows of a model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from rocamadre.engines.protocol import LoadSpec

TRAINABLE = ("FINE_TUNING", "CONTINUED_PRE_TRAINING", "DISTILLATION")
"""What can be done with a text model whose weights are here."""


@dataclass(frozen=True, slots=True)
class Model:
    """One model that is really here.

    Attributes:
        id: In the form of Bedrock's ids, for example `rocamadre.roca-mini-v1:0`.
        short_name: What people type, for example `roca-mini`.
        name: What people read, for example `Roca Mini`.
        provider: Who made it.
        engine: A name in `engines.registry.ENGINES`.
        path: Its weights; None where there are none.
        input_modalities: Of `TEXT`, `IMAGE`.
        output_modalities: Of `TEXT`, `EMBEDDING`.
        context_length: In tokens.
        dimensions: Length of its vectors; 0 for those without.
        licence: SPDX id, or what its maker calls it.
        languages: ISO 639-1.
        size_bytes: On disk.
        parameters: How many weights; 0 if unknown.
        source: `embedded`, `pulled`, `remote` or `fake`; `custom` or `imported` for those of one account.
        customizations: Of `FINE_TUNING`, `CONTINUED_PRE_TRAINING`, `DISTILLATION`.
        options: Passed to the engine as they are.
        dedicated: Its engine is kept while it idles.
    """

    id: str
    short_name: str
    name: str
    provider: str
    engine: str
    path: Path | None
    output_modalities: tuple[str, ...]
    input_modalities: tuple[str, ...] = ("TEXT",)
    context_length: int = 2048
    dimensions: int = 0
    licence: str = ""
    languages: tuple[str, ...] = ()
    size_bytes: int = 0
    parameters: int = 0
    source: str = "pulled"
    customizations: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    dedicated: bool = False

    @property
    def embeds(self) -> bool:
        """Whether its answers are vectors."""
        return "EMBEDDING" in self.output_modalities

    @property
    def reranks(self) -> bool:
        """Whether it can say how much a text has to do with a query; embedders can, by their vectors."""
        return self.embeds or "RERANK" in self.output_modalities

    @property
    def load_spec(self) -> LoadSpec:
        """How the engine pool runs it."""
        return LoadSpec(self.id, self.engine, self.path, self.context_length, self.options, self.dedicated)


@dataclass(frozen=True, slots=True)
class Resolved:
    """What a client's model id stands for.

    Attributes:
        requested: As the client wrote it.
        base_id: The foundation model id behind it, prefixes such as `us.` and ARNs taken away; its family decides the
            body format of InvokeModel.
        model: The model that will run.
        aliased: Whether another model than the one asked for will run; the answer then says so.
        profile_arn: The application inference profile that was asked for, to which usage is counted; empty for none.
        router_arn: The prompt router that was asked for; empty for none. Until `routers.route` has chosen, the model is
            the router's fallback.
        invoked_model_id: ARN of the model or inference profile that the router chose; empty until then.
        target_arn: The custom or imported model, deployment or provisioned throughput asked for; empty for none.
        model_arn: ARN of the custom or imported model that runs; empty for none.
    """

    requested: str
    base_id: str
    model: Model
    aliased: bool
    profile_arn: str = ""
    router_arn: str = ""
    invoked_model_id: str = ""
    target_arn: str = ""
    model_arn: str = ""


@dataclass(frozen=True, slots=True)
class InferenceProfile:
    """Another name for a model: one per geography as AWS has them, or an application's own, with tags.

    Attributes:
        source_id: The foundation model id behind it, as the client knows it; may be an alias.
        model_arns: That model's ARN in each region it runs in; here always one.
        created_at: None for system-defined ones.
    """

    arn: str
    id: str
    name: str
    description: str
    type: Literal["SYSTEM_DEFINED", "APPLICATION"]
    source_id: str
    model_arns: tuple[str, ...]
    created_at: datetime | None = None
    updated_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class PromptRouter:
    """A name for two models, one of which is chosen for each request.

    Attributes:
        models: ARNs of the models or inference profiles to choose from, the fallback among them.
        fallback: The ARN of the one that others are measured against.
        quality_difference: Percentage points, 0 to 100; see `routing.choose`.
        created_at: None for default ones.
    """

    arn: str
    name: str
    description: str
    type: Literal["custom", "default"]
    models: tuple[str, ...]
    fallback: str
    quality_difference: float
    created_at: datetime | None = None
    updated_at: datetime | None = None
