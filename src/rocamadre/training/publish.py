"""From a training's result to a model that is served, in a process of its own: `run(folder)`, as `training/run.py`.

The model is written beside its destination under another name, examined there, and renamed when its certificate holds.
So it may be killed at any line: the next start removes what lies half done and begins again; once the destination is
there, it is the result.
"""

from __future__ import annotations

import gc
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import msgspec

from rocamadre.core.clock import SystemClock
from rocamadre.core.errors import Conflict, InvalidRequest
from rocamadre.engines.llama.gguf_adapter import export_adapter, why_not
from rocamadre.engines.llama.header import read_header
from rocamadre.engines.protocol import LoadSpec
from rocamadre.jobs.rundir import RunDir, read_json, write_json
from rocamadre.jobs.runner import RunStopped
from rocamadre.training import forms
from rocamadre.training.certificate.certify import CONTEXT, Examination
from rocamadre.training.certificate.prompts import STEPS
from rocamadre.training.certificate.stored import check_file
from rocamadre.training.certificate.text import as_text
from rocamadre.training.certificate.types import FILE, Certificate, to_json
from rocamadre.training.model import load_base
from rocamadre.training.serving import Tuned, load_tuned

RECORD = "publication.json"
"""In a published model's folder, written last: what `run` returned."""
SERVED = {"cache_type": "f32", "flash_attention": False}
"""Options of the llama engine at which greedy tokens are those of float32 arithmetic."""
_EXACT = ("F32", "F16")


class Spec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What `spec.json` says.

    Attributes:
        trained: What `Method.save` wrote.
        method: A name in `METHODS`.
        destination: The folder to publish to; must not be there.
        base: A GGUF file or a Hugging Face directory; may be empty for a model that is whole by itself.
        method_settings: As in training; kept for the record.
        kinds: GGUF formats; the first is served.
        name: Of the model.
        serving: `adapter` serves an adapter beside its base, unmerged, where the engine can.
        prompts: Canonical records of the job, for its certificate.
    """

    trained: str
    method: str
    destination: str
    base: str = ""
    method_settings: dict[str, Any] = {}
    kinds: tuple[str, ...] = ("F16",)
    name: str = ""
    serving: Literal["merged", "adapter"] = "merged"
    prompts: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Form:
    """How a model will be served, once its folder has its name.

    Attributes:
        engine: `llama` or `torch`.
        path: Below the folder, or the base's own.
        options: Of the `LoadSpec`; paths in them are as `path`.
        serving: `merged`, or `adapter` for one beside its base.
        note: Why it is not served in another way; empty for the usual.
    """

    engine: str
    path: Path
    options: dict[str, Any]
    serving: str
    note: str = ""


def run(folder: RunDir) -> Mapping[str, Any]:
    """Publish what the folder's spec names.

    Returns:
        `engine`, `path`, `options`, `context_length`: for the `LoadSpec`. `size_bytes` of what is served, `parameters`
        in all. `serving` (`merged`, `adapter`), `note` (why, in a sentence, or empty), `forms` (other files by format),
        `weights` (the Hugging Face directory, or None), `certificate`.

    Raises:
        InvalidRequest: the spec or the result is not right, or the certificate fails; with the cause.
        RunStopped: somebody asked; nothing is left.
    """
    try:
        spec = msgspec.convert(folder.spec(), Spec)
    except msgspec.ValidationError as error:
        raise InvalidRequest(f"the run's spec.json is not right: {error}") from error
    destination = folder.work / spec.destination
    if destination.exists():
        known: dict[str, Any] | None = read_json(destination / RECORD)
        if known is None:
            raise Conflict(f"{destination} is there and was not published; choose another destination")
        return known
    forms.check_kinds(spec.kinds)
    partial = destination.with_name(f".{destination.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True, mode=0o700)
    try:
        return _Publication(folder, spec, partial, destination).publish()
    except (InvalidRequest, RunStopped):
        shutil.rmtree(partial, ignore_errors=True)
        raise


class _Publication:
    """One publication under way."""

    def __init__(self, folder: RunDir, spec: Spec, partial: Path, destination: Path) -> None:
        self.folder, self.spec, self.partial, self.destination = folder, spec, partial, destination
        self.base = folder.work / spec.base if spec.base else None
        self.trained = folder.work / spec.trained
        self.name = spec.name or destination.name
        self.files: dict[str, Path] = {}

    def publish(self) -> dict[str, Any]:
        """Write, examine, rename."""
        self._step("load")
        tuned = load_tuned(self.base, self.spec.method, self.trained)
        parameters = sum(weight.numel() for weight in tuned.module.parameters())
        self._step("ask the trained model")
        examination = Examination(
            tuned.module, tuned.base.tokenizer, own=self.spec.prompts, context_length=tuned.context_length, steps=STEPS
        )
        form = self._form(tuned, parameters, examination)
        certificate = self._certificate(tuned, examination)
        result = self._result(form, tuned, parameters, certificate)
        self._step("name")
        write_json(self.partial / FILE, to_json(certificate))
        write_json(self.partial / RECORD, result)
        forms.flush_tree(self.partial)
        os.replace(self.partial, self.destination)
        _flush(self.destination.parent)
        return result

    def _certificate(self, tuned: Tuned, examination: Examination) -> Certificate:
        """Of the forms so far.

        Raises:
            InvalidRequest: one of them fails.
        """
        words = _words(tuned, self.base)
        made = examination.certificate(
            name=self.name, method=self.spec.method, reference=words, now=SystemClock().now()
        )
        if not made.passed:
            raise InvalidRequest(_refusal(made))
        return made

    def _form(self, tuned: Tuned, parameters: int, examination: Examination) -> Form:
        """Write the form that is served and examine it, and those that go with it."""
        if tuned.method.form == "adapter" and not tuned.method.mergeable:
            return self._torch(tuned, examination)
        note = ""
        if tuned.method.form == "adapter" and self.spec.serving == "adapter":
            note = self._why_merged()
            if not note:
                return self._adapter(tuned, examination)
        return self._merged(tuned, parameters, examination, note)

    def _why_merged(self) -> str:
        """Why an adapter that should be served beside its base is merged; empty when it need not be."""
        assert self.base is not None
        if self.spec.method == "qlora":
            return "it was trained on a 4-bit base, which is not the one that the engine serves"
        return why_not(self.trained, self.base)

    def _merged(self, tuned: Tuned, parameters: int, examination: Examination, note: str) -> Form:
        forms.check_room(self.partial, parameters, self.spec.kinds)
        self._step("merge")
        weights = self.partial / forms.WEIGHTS
        forms.write_weights(tuned.method.merge(tuned.module), tuned.base, weights)
        again = load_base(weights).model.eval()
        examination.merged(again, weights)
        examination.noise(again)
        del again
        gc.collect()
        self._certificate(tuned, examination)  # what is wrong by now is not exported
        self._step("export")
        try:
            self.files = forms.write_gguf(weights, self.partial, self.spec.kinds, name=self.name)
        except InvalidRequest as error:
            return self._whole(tuned, examination, error.message)
        self._step("ask the served model")
        for kind, path in self.files.items():
            examination.served(
                f"{kind} file in llama.cpp",
                self._load_spec("llama", path, SERVED, tuned),
                numbers=kind,
                exact=kind in _EXACT,
                home=self.folder.work,
                stored=check_file(path, weights, kind),
                end=read_header(path).values.get("tokenizer.ggml.eos_token_id"),
            )
        return Form("llama", self.files[self.spec.kinds[0]], dict(SERVED), "merged", note)

    def _whole(self, tuned: Tuned, examination: Examination, reason: str) -> Form:
        """A merged model of a shape that GGUF does not hold, in the torch engine."""
        if self.spec.kinds != ("F16",):
            raise InvalidRequest(f"{', '.join(self.spec.kinds)} cannot be made of this model: {reason}")
        weights = self.partial / forms.WEIGHTS
        self._step("ask the served model")
        examination.served(
            "merged weights in the torch engine",
            self._load_spec("torch", weights, {}, tuned),
            numbers="F32",
            exact=True,
            home=self.folder.work,
        )
        return Form("torch", weights, {}, "merged", reason)

    def _adapter(self, tuned: Tuned, examination: Examination) -> Form:
        assert self.base is not None
        self._step("export")
        path = self.partial / forms.ADAPTER_FILE
        export_adapter(self.trained, self.base, path)
        forms.write_adapter(self.trained, self.partial / forms.ADAPTER)
        examination.noise(tuned.module)
        self._step("ask the served model")
        options = {**SERVED, "adapter": str(path)}
        numbers = _numbers(self.base)
        examination.served(
            f"adapter beside its {numbers} base in llama.cpp",
            self._load_spec("llama", self.base, options, tuned),
            numbers=numbers,
            exact=numbers in _EXACT,
            home=self.folder.work,
            end=read_header(self.base).values.get("tokenizer.ggml.eos_token_id"),
        )
        return Form("llama", self.base, options, "adapter")

    def _torch(self, tuned: Tuned, examination: Examination) -> Form:
        assert self.base is not None
        folder = self.partial / forms.ADAPTER
        forms.write_adapter(self.trained, folder)
        forms.write_reading(tuned.base, folder)
        examination.noise(tuned.module)
        self._step("ask the served model")
        options = {"method": self.spec.method, "adapter": str(folder)}
        examination.served(
            f"{tuned.method.facts.title} in the torch engine",
            self._load_spec("torch", self.base, options, tuned),
            numbers="F32",
            exact=True,
            home=self.folder.work,
        )
        return Form("torch", self.base, options, "adapter", f"{tuned.method.facts.title} cannot be merged")

    def _load_spec(self, engine: str, path: Path, options: Mapping[str, Any], tuned: Tuned) -> LoadSpec:
        return LoadSpec(f"certificate of {self.name}", engine, path, min(tuned.context_length, CONTEXT), dict(options))

    def _result(self, form: Form, tuned: Tuned, parameters: int, certificate: Certificate) -> dict[str, Any]:
        own = form.path.is_relative_to(self.partial)
        served = form.path if own else Path(form.options["adapter"])
        weights = self.partial / forms.WEIGHTS
        return {
            "engine": form.engine,
            "path": self._final(form.path),
            "options": {
                name: self._final(Path(value)) if name == "adapter" else value for name, value in form.options.items()
            },
            "size_bytes": forms.size_bytes(served),
            "parameters": parameters,
            "context_length": tuned.context_length,
            "serving": form.serving,
            "note": form.note,
            "forms": {kind: self._final(path) for kind, path in self.files.items()},
            "weights": self._final(weights) if weights.is_dir() else None,
            "certificate": to_json(certificate),
        }

    def _final(self, path: Path) -> str:
        """Where a file will be once the folder has its name."""
        if path.is_relative_to(self.partial):
            path = self.destination / path.relative_to(self.partial)
        return str(path)

    def _step(self, name: str) -> None:
        if self.folder.stop_requested():
            raise RunStopped
        self.folder.note(SystemClock(), {"event": "publishing", "part": name})


def _numbers(base: Path) -> str:
    """The format of a GGUF file's matrices, as its header says; the kinds have llama.cpp's numbers."""
    return {0: "F32", 1: "F16", 2: "Q4_0", 7: "Q8_0"}.get(read_header(base).values.get("general.file_type", -1), "Q4_0")


def _words(tuned: Tuned, base: Path | None) -> str:
    if tuned.method.form == "full" or base is None:
        return "the trained weights in torch, float32"
    if tuned.method.name == "qlora":
        return f"the 4-bit base ({base.name}) with its adapter in torch, unmerged"
    return f"the base ({base.name}) in float32 with its adapter in torch, unmerged"


def _refusal(certificate: Certificate) -> str:
    failed = next(form for form in certificate.forms if not form.passed)
    return (
        f"the model is not published, since it would not answer as it was trained. Cause: {failed.cause}. "
        f"{failed.name}: {failed.detail}\n{as_text(certificate)}"
    )


def _flush(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
