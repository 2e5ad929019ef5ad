"""One training run in a process of its own: `run(folder)`, called by `jobs/launchers/child.py`.

It may be killed at any moment and started again: what was chosen once (precision, threads, steps) is written down
before the first step, tokens are made once, and the loop goes on from the newest whole checkpoint.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec
import numpy as np
import numpy.typing as npt
import torch
from pydantic import ValidationError

from rocamadre.core.clock import SystemClock
from rocamadre.core.errors import InvalidRequest
from rocamadre.jobs.rundir import RunDir, read_json, write_json
from rocamadre.jobs.runner import RunStopped
from rocamadre.training import causal, memory, precision
from rocamadre.training.checkpoints import Checkpoints
from rocamadre.training.data import TokenTable, split, table_of, texts_of
from rocamadre.training.kept import Kept
from rocamadre.training.loop import Alone, Group, Loop, Pace, Tally, Task
from rocamadre.training.methods.protocol import Method
from rocamadre.training.methods.registry import check_settings, make_method
from rocamadre.training.mixing import mix_files
from rocamadre.training.model import Base, load_base
from rocamadre.training.optimiser import Named
from rocamadre.training.packing import RowOrder
from rocamadre.training.progress import Reporter
from rocamadre.training.settings import TrainingSettings, read_weights
from rocamadre.training.vocabulary import (
    Extension,
    check_exportable,
    extend_embeddings,
    extend_files,
    learn_tokens,
)

_VALIDATIONS = 10
_CHOICES = "choices.json"
T = TypeVar("T")


class Spec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What `spec.json` says.

    Attributes:
        base: A GGUF file or a Hugging Face directory.
        objective: `chat` learns answers, `text` running text, `logits` a teacher's distribution.
        train: Canonical files, relative to the run's `work`.
        validation: The same, or none.
        teacher: As `base`; for `logits` only.
        settings: Of `TrainingSettings`.
        forgetting: Canonical files whose loss is measured before and after, by name.
    """

    base: str
    objective: Literal["chat", "text", "logits"]
    train: list[str]
    validation: list[str] = []
    teacher: str | None = None
    settings: dict[str, Any] = {}
    forgetting: dict[str, str] = {}


@dataclass(frozen=True, slots=True)
class Choices:
    """What was settled when the run was first begun, and holds for every start after.

    Attributes:
        precision: Of matrix products.
        threads: Of the processor.
        layout: Of passes.
        steps: In all.
        evaluate_every: Steps between validations.
    """

    precision: str
    threads: int
    layout: causal.Layout
    steps: int
    evaluate_every: int


def run(folder: RunDir) -> Mapping[str, Any]:
    """Train what the folder's spec asks for.

    Returns:
        Where the trained model is and what came of it; see `docs/customization.md`.

    Raises:
        RunStopped: somebody asked, and everything is saved.
        InvalidRequest: the spec, the data or the model is not right; says what.
    """
    memory.tune_allocator()
    spec, settings = read_spec(folder)
    leave_if_asked(folder)
    if settings.strategy == "single" and settings.processes == 1:
        return _train(folder, spec, settings, Alone())
    from rocamadre.training import parallel  # noqa: PLC0415  (a second of imports that one process does not need)

    parallel.check(settings)
    with parallel.joined(folder, settings) as group:
        return _train(folder, spec, settings, group)


def _train(folder: RunDir, spec: Spec, settings: TrainingSettings, group: Group) -> dict[str, Any]:
    use_threads(folder, settings)
    reporter = Reporter(folder, SystemClock())
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    base, extension = _base(folder, spec, settings, group)
    train, validations = _first(group, lambda: _tables(folder, spec, settings, base, reporter))
    kept = Kept(folder, {name: _path(folder, path) for name, path in spec.forgetting.items()}, base, settings)
    _first(group, lambda: kept.before(base.model.to(device)))
    method, module = _prepare(base, settings, device)
    choices = _first(
        group,
        lambda: settle(
            folder,
            settings,
            module=module,
            lengths=train.lengths,
            layout=lambda: _layout(method, module, train, settings, reporter),
        ),
    )
    causal.use_layout(module, choices.layout)
    if settings.gradient_checkpointing:
        _checkpoint_gradients(method, module)
    if choices.layout == "sharded":
        _shard(module)
    common = {"capacity": settings.max_length, "seed": settings.seed, "device": device, "layout": choices.layout}
    named = list(method.trainable(module))
    tally = execute(
        folder,
        settings,
        choices,
        module=module,
        named=named,
        task=_task(train, spec, settings, base, **common),
        validations=[causal.CausalTask(each, packing=settings.packing, **common) for each in validations],
        reporter=reporter,
        facts=_facts(train),
        group=group,
    )
    if choices.layout == "sharded":
        module = _in_one_piece(named, group, spec=spec, settings=settings, folder=folder)
    forgotten = None
    if group.rank == 0:
        forgotten = kept.after(module, reporter)
        causal.use_layout(module, "padded")
        method.save(module, folder.work / "model")
        if method.form == "full":
            base.write_tokenizer(folder.work / "model")
        if extension is not None:
            extend_files(folder.work / "model", extension)
    found = result_of(tally, form=method.form, method=method.name)
    return found if forgotten is None else {**found, "forgetting": forgotten}


def _base(folder: RunDir, spec: Spec, settings: TrainingSettings, group: Group) -> tuple[Base, Extension | None]:
    """What the run starts from, with the tokens that were added to its vocabulary.

    Raises:
        InvalidRequest: tokens are to be added where their embeddings would not be learned.
    """
    base = load_base(_path(folder, spec.base))
    if not settings.new_tokens:
        return base, None
    if spec.objective != "text" or settings.method != "full":
        raise InvalidRequest(
            f"new_tokens needs the objective text and the method full; they are {spec.objective} and "
            f"{settings.method}: new embeddings would not be learned"
        )
    path = folder.work / "extension.json"

    def learned() -> Extension:
        known = read_json(path)
        if known is None:
            texts = texts_of([_path(folder, each) for each in spec.train])
            found = learn_tokens(base.tokenizer.tokens, texts, count=settings.new_tokens)
            write_json(path, found)
            known = read_json(path)
        return msgspec.convert(known, Extension)

    if base.path.is_file():
        check_exportable(base.tokenizer.tokens)
    extension = _first(group, learned)
    extend_embeddings(base.model, extension)
    tokens = extension.apply(base.tokenizer.tokens)
    return replace(base, tokenizer=replace(base.tokenizer, tokens=tokens)), extension


def _task(train: TokenTable, spec: Spec, settings: TrainingSettings, base: Base, **common: Any) -> Task:
    """What is learned: the data, or with `logits` a teacher's probabilities on it.

    Raises:
        InvalidRequest: there is no teacher, or it reads text otherwise.
    """
    if spec.objective != "logits":
        return causal.CausalTask(train, packing=settings.packing, **common)
    if spec.teacher is None:
        raise InvalidRequest("the objective logits needs a teacher")
    if common["layout"] not in ("segments", "padded"):
        raise InvalidRequest("this model's logits are more than its head's product; distil it from answers instead")
    from rocamadre.training.distilled import DistilledTask  # noqa: PLC0415  (only here)

    teacher = load_base(Path(spec.teacher))
    return DistilledTask(
        train,
        student=base.tokenizer,
        teacher=teacher,
        temperature=settings.distillation_temperature,
        mix=settings.distillation_mix,
        packing=settings.packing,
        **common,
    )


def _prepare(base: Base, settings: TrainingSettings, device: torch.device) -> tuple[Method, Any]:
    method, chosen = make_method(settings.method), check_settings(settings.method, settings.method_settings)
    return method, method.prepare(base.model.to(device), chosen, seed=settings.seed, tokenizer=base.tokenizer)


def _first(group: Group, work: Callable[[], T]) -> T:
    """Work that the first process does and writes down, and that the others then find done."""
    if group.rank:
        group.wait()
    found = work()
    if not group.rank:
        group.wait()
    return found


def _shard(module: Any) -> None:
    from rocamadre.training import parallel  # noqa: PLC0415

    parallel.shard(module)


def _in_one_piece(named: Named, group: Group, *, spec: Spec, settings: TrainingSettings, folder: RunDir) -> Any:
    """A model of one process with the weights that are shared out; all processes must ask."""
    trained = {name: group.whole(weight.detach()) for name, weight in named}
    if group.rank:
        return None
    method, module = _prepare(_base(folder, spec, settings, Alone())[0], settings, torch.device("cpu"))
    with torch.no_grad():
        for name, weight in method.trainable(module):
            weight.copy_(trained[name])
    return module


def execute(
    folder: RunDir,
    settings: TrainingSettings,
    choices: Choices,
    *,
    module: Any,
    named: Named,
    task: Task,
    validations: Sequence[Task],
    reporter: Reporter,
    facts: Mapping[str, Any],
    group: Group | None = None,
) -> Tally:
    """Run the loop from the newest checkpoint to its end; the best weights are then in the module.

    Raises:
        RunStopped: somebody asked.
    """
    loop = Loop(
        module,
        named,
        task=task,
        validations=validations,
        pace=_pace(settings, choices),
        checkpoints=Checkpoints(folder.path / "checkpoints", keep=settings.keep_checkpoints),
        reporter=reporter,
        stop_requested=folder.stop_requested,
        weight_decay=settings.weight_decay,
        group=group,
    )
    resumed = loop.resume()
    loop.note(
        "resumed" if resumed else "started",
        step=loop.tally.step,
        steps=choices.steps,
        rows_per_epoch=task.order.per_epoch,
        **facts,
        precision=choices.precision,
        threads=torch.get_num_threads(),
        layout=choices.layout,
        trainable=sum(weight.numel() for _, weight in named),
        parameters=sum(weight.numel() for weight in module.parameters()),
    )
    return loop.run()


def read_spec(folder: RunDir) -> tuple[Spec, TrainingSettings]:
    """The folder's spec, checked.

    Raises:
        InvalidRequest: it is missing or wrong, with the path of what is.
    """
    try:
        spec = msgspec.convert(folder.spec(), Spec)
        settings = TrainingSettings.model_validate(spec.settings)
    except msgspec.ValidationError as error:
        raise InvalidRequest(f"the run's spec.json is not right: {error}") from error
    except ValidationError as error:
        lines = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
        raise InvalidRequest(f"the training settings are not right: {lines}") from error
    return spec, settings


def _path(folder: RunDir, text: str) -> Path:
    return folder.work / text  # An absolute path stays what it is.


def leave_if_asked(folder: RunDir) -> None:
    """Raise `RunStopped` when somebody asked."""
    if folder.stop_requested():
        raise RunStopped


def _tables(
    folder: RunDir, spec: Spec, settings: TrainingSettings, base: Base, reporter: Reporter
) -> tuple[TokenTable, list[TokenTable]]:
    """What is learned, and what is only looked at."""
    if settings.max_length > base.context_length:
        raise InvalidRequest(
            f"max_length is {settings.max_length}; the model reads at most {base.context_length} tokens"
        )

    def table(files: list[str], name: str) -> TokenTable:
        return table_of(
            [_path(folder, each) for each in files],
            base.tokenizer,
            objective=spec.objective,
            max_length=settings.max_length,
            cache=folder.work / "tokens" / name,
            warn=reporter.warn,
            tick=lambda: leave_if_asked(folder),
        )

    train = table(_mixed(folder, spec, settings), "train")
    if spec.validation:
        return train, [table([each], f"validation-{index}") for index, each in enumerate(spec.validation)]
    if settings.validation_share:
        train, taken = split(train, share=settings.validation_share, seed=settings.seed)
        return train, [taken]
    if settings.early_stopping:
        raise InvalidRequest("early_stopping needs validation data: give some, or set validation_share")
    return train, []


def _mixed(folder: RunDir, spec: Spec, settings: TrainingSettings) -> list[str]:
    """The files to learn from: as they are, or one in which tasks come by their weights."""
    if not settings.task_weights:
        return spec.train
    target = folder.work / "mixed.jsonl"
    if not target.exists():
        paths = [_path(folder, each) for each in spec.train]
        mix_files(paths, target, read_weights(settings.task_weights), seed=settings.seed)
    return [target.name]


def use_threads(folder: RunDir, settings: TrainingSettings) -> None:
    """As many threads as were settled at the first start: sums over other threads round otherwise."""
    threads = settings.threads or int((read_json(folder.work / _CHOICES) or {}).get("threads", 0))
    if not threads and settings.processes > 1:
        threads = max(1, torch.get_num_threads() // settings.processes)
    if threads:
        torch.set_num_threads(threads)


def settle(
    folder: RunDir,
    settings: TrainingSettings,
    *,
    module: Any,
    lengths: npt.NDArray[np.int64],
    layout: Callable[[], causal.Layout],
) -> Choices:
    """Choose by measurement once; a run that is begun again goes on as it was.

    Args:
        folder: Where it is written down.
        settings: What leaves a choice.
        module: To be trained.
        lengths: Tokens of each example.
        layout: Finds the layout of passes; asked the first time only.
    """
    path = folder.work / _CHOICES
    known = read_json(path)
    if known is not None:
        return Choices(**known)
    width = int(getattr(module.config, "hidden_size", 512))
    inner = int(getattr(module.config, "intermediate_size", None) or 4 * width)
    order = RowOrder(lengths, capacity=settings.max_length, packing=settings.packing, seed=settings.seed)
    steps = settings.max_steps or max(1, math.ceil(settings.epochs * order.per_epoch / rows_per_step(settings)))
    choices = Choices(
        precision=precision.choose(
            settings.precision, width=width, inner=inner, device=next(module.parameters()).device
        ),
        threads=torch.get_num_threads(),
        layout=layout(),
        steps=steps,
        evaluate_every=settings.evaluate_every or max(1, steps // _VALIDATIONS),
    )
    write_json(path, {name: getattr(choices, name) for name in Choices.__slots__})
    return choices


def _layout(
    method: Method, module: Any, train: TokenTable, settings: TrainingSettings, reporter: Reporter
) -> causal.Layout:
    if settings.strategy == "fsdp":
        return "sharded"
    device = next(module.parameters()).device
    layout, difference = causal.best_layout(module, train, packs=method.packs, device=device)
    if method.packs and layout != "segments":
        reporter.warn(
            f"this architecture computes examples laid end to end differently (by {difference:.2g} nats per token), so "
            "they are padded instead; it is slower"
        )
    return layout


def _facts(train: TokenTable) -> dict[str, int]:
    return {
        "examples": len(train),
        "tokens_per_epoch": int(train.lengths.sum()),
        "learned_per_epoch": int(train.targets.sum()),
    }


def rows_per_step(settings: TrainingSettings) -> int:
    """Rows that one optimiser step learns from, over all passes and processes."""
    return settings.batch_size * settings.accumulation * settings.processes


def _pace(settings: TrainingSettings, choices: Choices) -> Pace:
    return Pace(
        steps=choices.steps,
        batch_size=settings.batch_size,
        passes=settings.accumulation * settings.processes,
        peak=settings.learning_rate,
        schedule=settings.schedule,
        warmup_share=settings.warmup_share if settings.warmup_steps is None else settings.warmup_steps / choices.steps,
        clip_norm=settings.clip_norm,
        evaluate_every=choices.evaluate_every,
        early_stopping=settings.early_stopping,
        early_stopping_gain=settings.early_stopping_gain,
        checkpoint_every=settings.checkpoint_every,
        seed=settings.seed,
        bf16=choices.precision == "bf16",
    )


def _checkpoint_gradients(method: Method, module: Any) -> None:
    if not method.checkpoints:
        raise InvalidRequest(f"{method.facts.title} does not go with gradient_checkpointing; turn it off")
    module.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})


def result_of(tally: Tally, *, form: str, method: str) -> dict[str, Any]:
    """What a run returns."""
    return {
        "model": "model",
        "form": form,
        "method": method,
        "steps": tally.step,
        "loss": tally.loss,
        "validation_loss": tally.best_loss if tally.best_loss is not None else tally.validation_loss,
        "best_step": tally.best_step or tally.step,
        "tokens": tally.tokens,
        "seconds": tally.seconds,
        "peak_memory_bytes": memory.peak_bytes(),
    }
