"""Brings a model here from a folder, a file, a local Ollama or a hub.

A pull is a run folder (`jobs/rundir.py`) named after what is pulled, so a repeat goes on where the last one was cut
off, by whatever. The model shows only at the end: its folder is renamed into place, then its row is written.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import msgspec
from sqlalchemy import insert, select

from rocamadre.catalog.errors import PullStopped
from rocamadre.catalog.fetch import fetch_all
from rocamadre.catalog.host import Host
from rocamadre.catalog.names import check_free, folder_of, free_short_name, model_id
from rocamadre.catalog.shapes import Shaped, Wishes, shape
from rocamadre.catalog.snapshot import forget, snapshot
from rocamadre.catalog.sources.registry import SOURCES, parse_source
from rocamadre.catalog.sources.types import Listing, SourceFile, SourceOptions
from rocamadre.catalog.tables import MODELS
from rocamadre.catalog.types import Model
from rocamadre.core.errors import Conflict, InvalidRequest
from rocamadre.jobs.rundir import RunDir, read_json, write_json

MANIFEST = "manifest.json"
KINDS = ("F32", "F16", "Q8_0", "Q4_0")
NOTE_EVERY_BYTES = 16 * 1024 * 1024
Step = Literal["list", "fetch", "check", "place", "done"]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a pull is.

    Attributes:
        file: The file at hand; empty between files.
        done_bytes: Of all files together.
        total_bytes: Of all files together; 0 while unknown.
    """

    step: Step
    file: str = ""
    done_bytes: int = 0
    total_bytes: int = 0


@dataclass(frozen=True, slots=True)
class PullSpec:
    """What to pull, and how it is to be known here.

    Attributes:
        source: See `sources.registry.parse_source`.
        owner: First part of the id; None for the source's.
        name: Second part of the id; None for the source's.
        file: The one weight file to take, where there are several.
        revision: Branch, tag or commit of a hub repository; pinned to a commit at the first try.
        kind: Format that safetensors of Llama and Qwen2 shape are exported to: F32, F16, Q8_0 or Q4_0.
        context_length: In tokens; None for what it was trained on, at most 8,192.
    """

    source: str
    owner: str | None = None
    name: str | None = None
    file: str | None = None
    revision: str | None = None
    kind: str = "F16"
    context_length: int | None = None


class _Plan(msgspec.Struct, frozen=True):
    """What the first try settled; kept in the run's `spec.json`."""

    asked: dict[str, Any]
    text: str
    listing: Listing
    model_id: str


def run_dir_of(host: Host, spec: PullSpec) -> RunDir:
    """The run folder of a pull; the same for the same wish."""
    kind, text = parse_source(spec.source)
    wish = msgspec.json.encode({**asdict(spec), "source": [kind, text]}, order="sorted")
    return RunDir(host.settings.home / "runs" / f"pull-{hashlib.sha256(wish).hexdigest()[:16]}")


def pull(host: Host, spec: PullSpec, *, progress: Callable[[Progress], None] | None = None) -> Model:
    """Bring a model here, check it, and list it. A repeat after any kind of end goes on from there.

    Args:
        host: The platform.
        spec: What.
        progress: Called in this thread with each piece.

    Returns:
        The model; at once if this very pull was done before.

    Raises:
        InvalidRequest: a check failed, or nothing there can be run; the message says what.
        NotFound: the source has no such model.
        Unavailable: the source cannot be reached; the message says what to do.
        Conflict: another model has the id, or another process pulls the same.
        PullStopped: somebody asked the run to stop; what came is kept.
    """
    show = progress or (lambda _: None)
    if spec.kind not in KINDS:
        raise InvalidRequest(f"kind is {spec.kind!r}; models are exported as one of {', '.join(KINDS)}")
    run = run_dir_of(host, spec)
    with run.held():
        done = _already(host, run)
        if done is not None:
            show(Progress("done"))
            return done
        run.clear_stop()
        show(Progress("list"))
        plan = _plan(host, run, spec)
        target = host.settings.home / "models" / folder_of(plan.model_id)
        if not _placed(target, run):
            staged = _stage(host, run, plan, spec, show)
            show(Progress("place"))
            _place(host, staged, target, plan)
        model = _record(host, run, plan, target)
        show(Progress("done"))
        return model


def _already(host: Host, run: RunDir) -> Model | None:
    """The model of a run that was done before; a model removed since is pulled anew."""
    result = run.result()
    if result is None:
        return None
    model = snapshot(host).models.get(result["model_id"])
    if model is None:
        _wipe(run)
    return model


def _plan(host: Host, run: RunDir, spec: PullSpec) -> _Plan:
    """What the first try settled. Local sources are looked at again: files that changed since are taken anew."""
    kind, text = parse_source(spec.source)
    stored = run.spec()
    found = None if stored is None else msgspec.convert(stored, _Plan)
    if found is not None and kind == "hub":
        return found
    listing = SOURCES.load(kind)(text, _options(host, spec)).find()
    if found is not None and found.listing == listing:
        return found
    _wipe(run)
    new_id = model_id(spec.owner or listing.owner, spec.name or listing.name)
    forget(host)
    check_free(snapshot(host), new_id)
    plan = _Plan({**asdict(spec)}, text, listing, new_id)
    run.begin(msgspec.to_builtins(plan))
    return plan


def _wipe(run: RunDir) -> None:
    """Forget a run but for its lock and its progress."""
    for path in (run.path / "result.json", run.path / "spec.json"):
        path.unlink(missing_ok=True)
    shutil.rmtree(run.work, ignore_errors=True)


def _options(host: Host, spec: PullSpec) -> SourceOptions:
    catalog = host.settings.catalog
    return SourceOptions(spec.file, spec.revision, catalog.hub_endpoint, catalog.ollama_models)


def _stage(host: Host, run: RunDir, plan: _Plan, spec: PullSpec, show: Callable[[Progress], None]) -> Path:
    """Fetch, check and shape; the manifest comes last, so a folder that has one is whole."""
    staged = run.work / "model"
    if (staged / MANIFEST).is_file():
        return staged
    listing = plan.listing
    fetched = run.work / "files"
    source = SOURCES.load(listing.kind)(plan.text, _options(host, spec))
    hashes = fetch_all(source, listing, fetched, _advance(host, run, listing, show))
    show(Progress("check"))
    shutil.rmtree(staged, ignore_errors=True)
    _link_all(fetched, staged, listing)
    wishes = Wishes(
        name=spec.name or "",
        title=listing.name,
        provider=spec.owner or listing.owner,
        kind=spec.kind,
        context_length=spec.context_length,
        licence=listing.licence,
    )
    try:
        shaped = shape(staged, [file.name for file in listing.files], wishes)
    except InvalidRequest:
        _wipe(run)  # the same bytes would be refused again
        raise
    run.note(host.clock, {"step": "check", "engine": shaped.facts.engine, "notes": shaped.notes})
    write_json(staged / MANIFEST, _manifest(run, plan, shaped, hashes))
    return staged


def _advance(
    host: Host, run: RunDir, listing: Listing, show: Callable[[Progress], None]
) -> Callable[[SourceFile, int], None]:
    total = sum(file.size_bytes for file in listing.files)
    here: dict[str, int] = {}
    noted = 0

    def advance(file: SourceFile, done_bytes: int) -> None:
        nonlocal noted
        here[file.name] = done_bytes
        so_far = sum(here.values())
        show(Progress("fetch", file.name, so_far, total))
        if so_far - noted >= NOTE_EVERY_BYTES or so_far == total:
            noted = so_far
            run.note(host.clock, {"step": "fetch", "file": file.name, "done_bytes": so_far, "total_bytes": total})
        if run.stop_requested():
            raise PullStopped(f"stopped at {so_far} of {total} bytes; repeating the command goes on from there")

    return advance


def _link_all(fetched: Path, staged: Path, listing: Listing) -> None:
    """Hard links: shaping may drop a file from the staged folder while the fetched one stays until the end."""
    for file in listing.files:
        target = staged / file.name
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            target.hardlink_to(fetched / file.name)
        except OSError:  # a file system without hard links
            shutil.copyfile(fetched / file.name, target)


def _manifest(run: RunDir, plan: _Plan, shaped: Shaped, hashes: Mapping[str, str]) -> dict[str, Any]:
    return {
        "run": run.path.name,
        "model_id": plan.model_id,
        "origin": plan.listing.origin,
        "revision": plan.listing.revision,
        "sha256": dict(hashes),
        "notes": list(shaped.notes),
        "facts": msgspec.to_builtins(shaped.facts),
    }


def _placed(target: Path, run: RunDir) -> bool:
    """Whether an earlier try of this run got as far as the rename."""
    manifest = read_json(target / MANIFEST)
    return manifest is not None and manifest.get("run") == run.path.name


def _place(host: Host, staged: Path, target: Path, plan: _Plan) -> None:
    with host.sql.connect() as connection:
        if connection.execute(select(MODELS.c.id).where(MODELS.c.id == plan.model_id)).first():
            raise Conflict(f"a model {plan.model_id} is here already; remove it or choose another name=")
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():  # left by a run that died before its row was written and was never repeated
        shutil.rmtree(target)
    staged.rename(target)


def _record(host: Host, run: RunDir, plan: _Plan, target: Path) -> Model:
    manifest = read_json(target / MANIFEST)
    forget(host)
    origin = {key: manifest[key] for key in ("run", "origin", "revision", "sha256", "notes")}
    row = {
        "id": plan.model_id,
        "short_name": free_short_name(snapshot(host), plan.model_id),
        "folder": target.name,
        "facts": msgspec.json.encode(manifest["facts"]).decode(),
        "origin": msgspec.json.encode(origin).decode(),
        "created_at": host.clock.now().isoformat(),
    }
    with host.sql.begin() as tx:
        if not tx.execute(select(MODELS.c.id).where(MODELS.c.id == plan.model_id)).first():
            tx.execute(insert(MODELS).values(row))
    run.finish({"model_id": plan.model_id, "notes": manifest["notes"]})
    shutil.rmtree(run.work, ignore_errors=True)
    forget(host)
    return snapshot(host).models[plan.model_id]
