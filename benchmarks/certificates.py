"""Is the tuned model that is served the one that was trained? `python -m benchmarks.certificates [--quick]`.

Twenty models are tuned for some steps (random weights of several shapes, and roca-mini), over all methods, published,
and examined by their certificates; all must hold. Then the same is done with the publication sabotaged in five ways,
on two models each; all must be caught, with the right cause.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from unittest import mock

import torch

from benchmarks.harness import ROOT, report
from rocamadre.core.errors import InvalidRequest
from rocamadre.jobs.rundir import RunDir
from rocamadre.testing.tuned import gguf_base, tiny_model, tune
from rocamadre.training import forms, publish

ROCA_MINI = ROOT / "models" / "roca-mini" / "roca-mini-q8_0.gguf"
LORA = {"rank": 8, "alpha": 16}
ALL = ("F16", "F32", "Q8_0", "Q4_0")


@dataclass(frozen=True)
class Case:
    """A model to tune: its shape (None: roca-mini), its base's format (None: a directory), method, way of serving."""

    name: str
    method: str
    settings: dict[str, Any] = field(default_factory=dict)
    shape: dict[str, Any] | None = field(default_factory=dict)
    base: str | None = "F32"
    kinds: tuple[str, ...] = ("F16",)
    serving: str = "merged"
    learning_rate: float = 1e-2


QWEN = {"architecture": "qwen2", "pre": "qwen2"}
CASES = (
    Case("full", "full", learning_rate=2e-3, kinds=ALL),
    Case("full, Qwen2 shape, untied", "full", shape={**QWEN, "tied": False}, learning_rate=2e-3, kinds=ALL),
    Case("full, last block, from a directory", "full", {"last_layers": 1}, base=None, learning_rate=5e-3),
    Case("full, text begins with a mark", "full", shape={"pre": "llama-bpe", "begins": True}, learning_rate=2e-3),
    Case("LoRA", "lora", LORA, kinds=ALL),
    Case("LoRA, attention only, deep", "lora", {**LORA, "targets": "attention"}, shape={"layers": 5}),
    Case("LoRA, wide, all heads their own", "lora", LORA, shape={"width": 96, "heads": 6, "kv_heads": 6}),
    Case("LoRA, Qwen2 shape", "lora", LORA, shape=QWEN),
    Case("LoRA, digits apart (SmolLM)", "lora", LORA, shape={"pre": "smollm", "begins": True}),
    Case("LoRA on a Q8_0 base", "lora", LORA, base="Q8_0"),
    Case("rsLoRA", "lora", {"rank": 16, "alpha": 16, "rslora": True}),
    Case("DoRA", "lora", {**LORA, "dora": True}),
    Case("LoRA beside its base, not merged", "lora", LORA, serving="adapter"),
    Case("LoRA beside a Q8_0 base, not merged", "lora", LORA, base="Q8_0", serving="adapter", shape={"width": 64}),
    Case("QLoRA", "qlora", LORA, kinds=("F16", "F32"), shape={"width": 64}),
    Case("IA3", "ia3", learning_rate=5e-2),
    Case("prompt tuning", "prompt-tuning", {"tokens": 8}, learning_rate=1e-1),
    Case("prefix tuning", "prefix-tuning", {"tokens": 8}, learning_rate=1e-1, shape=QWEN),
    Case("LoReFT", "loreft", {"rank": 4, "last": 2}, learning_rate=5e-2),
    Case("roca-mini, LoRA", "lora", LORA, shape=None, kinds=("F16", "Q8_0", "Q4_0"), learning_rate=1e-3),
)
SABOTAGED = ("LoRA", "full, Qwen2 shape, untied")


def _directory(change: Callable[[Path], None]) -> Callable[[], Any]:
    """Publications whose directory is changed after it was written."""

    def written(model: Any, base: Any, folder: Path, original: Any = forms.write_weights) -> None:
        original(model, base, folder)
        change(folder)

    return lambda: mock.patch.object(forms, "write_weights", written)


def _json(name: str, change: Callable[[dict[str, Any]], Any]) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        value = json.loads((folder / name).read_text())
        change(value)
        (folder / name).write_text(json.dumps(value))

    return edit


def _narrow() -> Any:
    def written(model: Any, base: Any, folder: Path, original: Any = forms.write_weights) -> None:
        original(model.to(torch.bfloat16).float(), base, folder)

    return mock.patch.object(forms, "write_weights", written)


@contextmanager
def _rescaled() -> Iterator[None]:
    """Merge with 1.1 times the scale; of full tuning, apply 1.1 times the change to one matrix."""

    def load(base: Any, method: str, trained: Path, original: Any = publish.load_tuned) -> Any:
        tuned = original(base, method, trained)
        merge = tuned.method.merge

        def wrong(module: Any) -> Any:
            for part in module.modules():
                if isinstance(getattr(part, "scaling", None), dict):
                    part.scaling = {name: 1.1 * scale for name, scale in part.scaling.items()}
            merged = merge(module)
            if method == "full":
                next(iter(merged.model.layers)).mlp.down_proj.weight.data *= 1.01
            return merged

        tuned.method.merge = wrong
        return tuned

    with mock.patch.object(publish, "load_tuned", load):
        yield


SABOTAGES: dict[str, tuple[str, Callable[[], Any]]] = {
    "the template writes another role": (
        "template",
        _directory(
            _json("tokenizer_config.json", lambda value: value.update(chat_template="X" + value["chat_template"]))
        ),
    ),
    "answers end with another mark": (
        "special token",
        _directory(_json("tokenizer_config.json", lambda value: value.update(eos_token="<|bos|>"))),
    ),
    "weights go through bfloat16": ("dtype", _narrow),
    "the merge has another scale": ("merge", _rescaled),
    "the tokenizer lost half its merges": (
        "tokenizer",
        _directory(
            _json(
                "tokenizer.json",
                lambda value: value["model"].update(
                    merges=value["model"]["merges"][: len(value["model"]["merges"]) // 2]
                ),
            )
        ),
    ),
}


def main(quick: bool) -> None:
    cases = [case for case in CASES if case.shape is not None] if quick else list(CASES)
    models, caught = [], []
    for case in cases:
        models.append(_certified(case))
        print(json.dumps(models[-1]), file=sys.stderr)
    for name, (cause, sabotage) in SABOTAGES.items():
        for case in (next(case for case in CASES if case.name == which) for which in SABOTAGED):
            caught.append({"sabotage": name, **_caught(replace(case, kinds=("F16",)), cause, sabotage)})
            print(json.dumps(caught[-1]), file=sys.stderr)
    report(
        "certificates",
        {
            "models": len(models),
            "models_that_hold": sum(model["holds"] for model in models),
            "sabotages": len(caught),
            "sabotages_caught": sum(each["caught"] for each in caught),
            "of_each_model": models,
            "of_each_sabotage": caught,
        },
    )


def _certified(case: Case) -> dict[str, Any]:
    began = time.monotonic()
    with ExitStack() as stack:
        try:
            result = _published(case, stack)
        except InvalidRequest as error:
            return {"model": case.name, "holds": False, "why": error.message}
    certificate = result["certificate"]
    names = ("name", "prompts", "same_ids", "same_answers", "deviation_nats", "deviation_limit_nats", "kl_nats")
    return {
        "model": case.name,
        "holds": certificate["passed"],
        "served_by": result["engine"],
        "serving": result["serving"],
        "forms": [
            {name: round(form[name], 7) if isinstance(form[name], float) else form[name] for name in names}
            for form in certificate["forms"]
        ],
        "seconds": round(time.monotonic() - began, 1),
    }


def _caught(case: Case, cause: str, sabotage: Callable[[], Any]) -> dict[str, Any]:
    with ExitStack() as stack:
        try:
            _published(case, stack, sabotage)
        except InvalidRequest as error:
            named = error.message.partition("Cause: ")[2].partition(".")[0]
            return {"model": case.name, "caught": named == cause, "cause": named}
    return {"model": case.name, "caught": False, "cause": ""}


def _published(case: Case, stack: ExitStack, sabotage: Callable[[], Any] | None = None) -> dict[str, Any]:
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="roca-certificates-")))
    if case.shape is None:
        base = ROCA_MINI
    elif case.base is None:
        base = tiny_model(folder / "base", **case.shape)
    else:
        base = gguf_base(folder, kind=case.base, **case.shape)
    trained = tune(base, folder / "trained", case.method, case.settings, learning_rate=case.learning_rate)
    run = RunDir(folder / "run")
    run.begin(
        {
            "base": str(base),
            "trained": str(trained),
            "method": case.method,
            "method_settings": case.settings,
            "destination": str(folder / "published"),
            "kinds": list(case.kinds),
            "name": case.name,
            "serving": case.serving,
        }
    )
    if sabotage is not None:
        stack.enter_context(sabotage())
    return dict(publish.run(run))


if __name__ == "__main__":
    torch.set_num_threads(1)
    main("--quick" in sys.argv[1:])
