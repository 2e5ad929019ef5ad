"""Which models there are, and what a client's model id stands for."""

from __future__ import annotations

import re
from dataclasses import replace

from rocamadre.catalog.errors import UnknownModel
from rocamadre.catalog.families import Family, base_id, families, find_family, match_alias, spellings
from rocamadre.catalog.host import Host
from rocamadre.catalog.profile_rows import find_source_id
from rocamadre.catalog.router_rows import KINDS, find_router
from rocamadre.catalog.snapshot import Snapshot, memo_of, remember, snapshot
from rocamadre.catalog.targets import KINDS as TARGET_KINDS
from rocamadre.catalog.targets import Target, dedicated, find_target, is_target_name
from rocamadre.catalog.types import Model, Resolved
from rocamadre.core.arn import Arn, make_arn
from rocamadre.core.context import Context
from rocamadre.core.errors import InvalidRequest, ModelNotReady, NotBuilt, NotFound
from rocamadre.engines.priority import BACKGROUND

INVALID = "The provided model identifier is invalid."
"""How AWS begins this refusal; clients look for it."""

STAND_INS = {"text": "default_model", "embedding": "default_embedder", "rerank": "default_reranker"}
"""Settings that name the models on which the known families run, by kind."""

_APPLICATION_ID = re.compile(r"[a-z0-9]{12}")
_LATER = {
    "endpoint": "SageMaker endpoints",
    "marketplace": "Marketplace endpoints",
    "prompt": "managed prompts",
}


def resolve(ctx: Context, model_id: str) -> Resolved:
    """What a client's model id stands for. Fast: what was resolved once is remembered, for a second where SQL decides.

    Args:
        ctx: Whose request it is; application inference profiles of others are invisible.
        model_id: An id or short name of a model here, an alias, the id of a known family (with or without a
            geography before and a context length after it), the name or `ft:` id of a custom or imported model, or an
            ARN: of a foundation model, an inference profile, one of `targets.KINDS`, or a prompt router, which stands
            for its fallback until `routers.route` has chosen.

    Raises:
        UnknownModel: it stands for nothing here; the message lists what exists.
        NotBuilt: an ARN of a kind that comes later.
        ModelNotReady: it is still being created.
        InvalidRequest: an ARN that is none, or something that could not be created.
    """
    memo = memo_of(ctx.platform)
    if (hit := memo.lasting.get(model_id)) is not None:
        return hit
    known = snapshot(ctx.platform)
    place = (ctx.account, ctx.region, model_id)
    hit = memo.resolved.get(model_id) or memo.profiles.get(place)
    # A job that moves a target to another model must not try the old one.
    if hit is not None and not (hit.target_arn and BACKGROUND.get()):
        return hit
    if model_id.startswith("arn:"):
        return _resolve_arn(ctx, model_id)
    # An account's own model goes before an alias, never before a model that everybody has.
    own = is_target_name(model_id) and known.find(model_id) is None
    if own and (found := find_target(ctx, model_id)) is not None:
        return _from_target(ctx, model_id, found)
    resolved = _find(ctx.platform, known, model_id)
    if resolved is not None:
        lasting = not resolved.aliased and resolved.model.source in ("embedded", "fake")
        if own:
            return remember(memo.profiles, place, resolved)
        return remember(memo.lasting if lasting else memo.resolved, model_id, resolved)
    source = find_source_id(ctx.platform.sql, ctx.account, ctx.region, model_id) if _is_application(model_id) else None
    if source is None:
        raise _unknown(known, model_id)
    return remember(memo.profiles, place, _from_source(ctx, known, model_id, source, model_id))


def resolve_here(host: Host, model_id: str) -> Resolved:
    """`resolve` for programs without a server: models, aliases and known families, but nothing of an account's own.

    Raises:
        UnknownModel: it stands for nothing here; the message lists what exists.
    """
    known = snapshot(host)
    resolved = _find(host, known, model_id)
    if resolved is None:
        raise _unknown(known, model_id)
    return resolved


def list_models(ctx: Context) -> list[Model]:
    """Every model that is here: embedded, then pulled and remote by id, then the fake ones."""
    return known_models(ctx.platform)


def known_models(host: Host) -> list[Model]:
    """`list_models` for programs without a server."""
    return list(snapshot(host).models.values())


def get_model(ctx: Context, id_or_arn: str) -> Model:
    """A model that is here, by its id, short name or foundation model ARN; no aliases.

    Raises:
        NotFound: no model has this name; the message lists what exists.
    """
    return find_model(ctx.platform, id_or_arn)


def find_model(host: Host, id_or_arn: str) -> Model:
    """`get_model` for programs without a server."""
    known = snapshot(host)
    name = id_or_arn
    if name.startswith("arn:"):
        arn = Arn.parse(name)
        name = arn.id if (arn.service, arn.kind) == ("bedrock", "foundation-model") else ""
    model = next((found for spelling in spellings(name) if (found := known.find(spelling))), None)
    if model is None:
        raise NotFound(
            "Could not resolve the foundation model from the provided model identifier: "
            f"{_short(id_or_arn)} is not here; there are: {_listed(known)}"
        )
    return model


def _is_application(model_id: str) -> bool:
    return _APPLICATION_ID.fullmatch(model_id) is not None


def _resolve_arn(ctx: Context, text: str) -> Resolved:
    arn = Arn.parse(text)
    memo, known = memo_of(ctx.platform), snapshot(ctx.platform)
    kind = "endpoint" if arn.service == "sagemaker" else arn.kind
    if kind in _LATER:
        raise NotBuilt(
            f"{_short(text)}: Rocamadre has no {_LATER[kind]} yet; give a model id or an inference profile. "
            f"Models here: {_listed(known)}"
        )
    if arn.service == "bedrock" and kind in KINDS:
        return remember(memo.profiles, (ctx.account, ctx.region, text), _from_router(ctx, text, arn))
    if arn.service == "bedrock" and kind in TARGET_KINDS:
        target = find_target(ctx, text)
        if target is None:
            raise UnknownModel(
                f"{INVALID} No {kind.replace('-', ' ')} {_short(text)} in account {ctx.account}, region {ctx.region}"
            )
        return _from_target(ctx, text, target)
    if arn.service != "bedrock" or kind not in (
        "foundation-model",
        "inference-profile",
        "application-inference-profile",
    ):
        raise UnknownModel(f"{INVALID} {_short(text)} is no ARN of a model; there are: {_listed(known)}")
    if kind == "application-inference-profile":
        source = None
        if (arn.account, arn.region) == (ctx.account, ctx.region):
            source = find_source_id(ctx.platform.sql, arn.account, arn.region, arn.id)
        if source is None:
            raise UnknownModel(
                f"{INVALID} No inference profile {_short(text)} in account {ctx.account}, region "
                f"{ctx.region}; ListInferenceProfiles shows what exists"
            )
        return remember(memo.profiles, (ctx.account, ctx.region, text), _from_source(ctx, known, text, source, arn.id))
    resolved = _find(ctx.platform, known, arn.id)
    if resolved is None:
        raise _unknown(known, arn.id)
    return remember(memo.resolved, text, Resolved(text, resolved.base_id, resolved.model, resolved.aliased))


def _from_target(ctx: Context, requested: str, target: Target) -> Resolved:
    """What an account's own model, deployment or provisioned throughput runs."""
    if target.state == "failed":
        raise InvalidRequest(f"{target.name or target.arn} could not be created: {target.reason}")
    made = target.facts is not None or target.runs
    if target.state == "creating" and not (made and BACKGROUND.get()):  # The job that makes it tries it out.
        raise ModelNotReady(f"{target.name or target.arn} is still being created; try again in a moment")
    if target.runs:
        behind = resolve(ctx, target.runs)
        model = dedicated(behind.model, target) if target.slots else behind.model
        found = replace(behind, requested=requested, model=model, target_arn=target.arn)
    else:
        model = target.model(ctx.platform.settings.home / "models")
        found = Resolved(requested, target.base_id, model, False, target_arn=target.arn, model_arn=target.arn)
    if target.state != "ready" or BACKGROUND.get():
        return found
    return remember(memo_of(ctx.platform).profiles, (ctx.account, ctx.region, requested), found)


def _from_router(ctx: Context, requested: str, arn: Arn) -> Resolved:
    """What a prompt router runs where nothing is chosen: its fallback."""
    router = find_router(ctx.platform.sql, ctx.account, ctx.region, arn)
    if router is None:
        raise UnknownModel(
            f"{INVALID} No prompt router {_short(requested)} in account {ctx.account}, region {ctx.region}; "
            "ListPromptRouters shows what exists"
        )
    return replace(resolve(ctx, router.fallback), requested=requested, router_arn=router.arn)


def _from_source(ctx: Context, known: Snapshot, requested: str, source_id: str, profile_id: str) -> Resolved:
    """What an application inference profile runs, asked for again: its model may have gone since."""
    resolved = _find(ctx.platform, known, source_id)
    if resolved is None:
        raise _unknown(known, source_id)
    arn = make_arn("bedrock", ctx.region, ctx.account, f"application-inference-profile/{profile_id}")
    return Resolved(requested, resolved.base_id, resolved.model, resolved.aliased, profile_arn=arn)


def _find(host: Host, known: Snapshot, name: str) -> Resolved | None:
    """Real models first, then the settings' aliases, those set by command, and the built-in families."""
    names = spellings(name)
    for spelling in names:
        model = known.find(spelling)
        if model is not None:
            return Resolved(name, model.id, model, False)
    base = base_id(name)
    for aliases in (host.settings.catalog.aliases, known.aliases):
        target = match_alias(aliases, names)
        if target is not None:
            return Resolved(name, base, _target(known, target, f"{_short(name)} is an alias of"), True)
    family = find_family(base)
    if family is None:
        return None
    if family.kind == "absent":
        raise UnknownModel(
            f"{INVALID} {_short(name)} ({family.name}) needs {family.needs}, which no model here has; "
            f"there are: {_listed(known)}"
        )
    return Resolved(name, base, _stand_in(host, known, name, family), True)


def _stand_in(host: Host, known: Snapshot, name: str, family: Family) -> Model:
    catalog = host.settings.catalog
    setting = STAND_INS[family.kind]
    if setting == "default_reranker" and not catalog.default_reranker:
        setting = "default_embedder"
    target: str = getattr(catalog, setting)
    model = _target(known, target, f"{_short(name)} ({family.name}) runs on the setting catalog.{setting},")
    if not (model.reranks if family.kind == "rerank" else model.embeds == (family.kind == "embedding")):
        raise InvalidRequest(f"the setting catalog.{setting} names {model.id}, which does not make {family.kind}")
    return model


def _target(known: Snapshot, target: str, why: str) -> Model:
    model = known.find(target)
    if model is None:
        raise UnknownModel(f"{INVALID} {why} {_short(target)}, and that model is not here; there are: {_listed(known)}")
    return model


def _unknown(known: Snapshot, name: str) -> UnknownModel:
    patterns = ", ".join(pattern for family in families() if family.kind != "absent" for pattern in family.patterns)
    return UnknownModel(
        f"{INVALID} {_short(name)} is not here; there are: {_listed(known)}. "
        f"Ids of these families run on a local model: {patterns}"
    )


def _listed(known: Snapshot) -> str:
    names = list(known.models)
    return ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")


def _short(text: str) -> str:
    return repr(text if len(text) <= 80 else text[:77] + "...")
