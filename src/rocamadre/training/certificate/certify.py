"""One model's certificate: the trainer's model is asked first, then every form as it will be served."""

from __future__ import annotations

import asyncio
import platform
from collections.abc import Mapping, Sequence
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from torch import nn

from rocamadre.core.errors import InvalidRequest, ModelFailure
from rocamadre.core.settings import EngineSettings
from rocamadre.datasets.tokenizer import ModelTokenizer
from rocamadre.engines.pool import EnginePool
from rocamadre.engines.protocol import LoadSpec
from rocamadre.engines.turns import THOUGHTS
from rocamadre.training.certificate.judge import Expected, judge
from rocamadre.training.certificate.measure import Measured, Stored, Written, measure_engine
from rocamadre.training.certificate.prompts import STEPS, TEXTS, golden_prompts
from rocamadre.training.certificate.scores import Difference
from rocamadre.training.certificate.stored import narrow_format
from rocamadre.training.certificate.torch_side import Reference, measure_module, read
from rocamadre.training.certificate.types import VERSION, Certificate, FormReport

CONTEXT = 2048
"""Tokens of the longest prompt and answer in a certificate; a model's own context may be longer."""
_PACKAGES = ("rocamadre", "torch", "transformers", "peft", "xllamacpp", "gguf", "tokenizers")


class Examination:
    """A certificate in the making.

    The trainer's model is asked in the constructor and may be used up afterwards; then come the forms, in any order,
    and `noise` once.

    Args:
        module: The trained model, unmerged, as `Method.load` gives it.
        tokenizer: The trainer's.
        own: Canonical records of the job; what fits is asked beside the golden prompts.
        context_length: Of the model, in tokens.
        steps: Tokens of each answer.
    """

    def __init__(
        self,
        module: nn.Module,
        tokenizer: ModelTokenizer,
        *,
        own: Sequence[Mapping[str, Any]] = (),
        context_length: int,
        steps: int = STEPS,
    ) -> None:
        self.steps = steps
        context = min(context_length, CONTEXT)
        golden = golden_prompts(tokenizer, own, context_length=context, steps=steps)
        self.reference = Reference(module, tokenizer, golden, steps=steps, context_length=context)
        self._forms: list[tuple[Measured, bool, str]] = []
        self._noise: Difference | None = None

    def noise(self, module: nn.Module) -> None:
        """Measure what rounding does to this model, which is used up."""
        self._noise = self.reference.noise(module)

    def merged(self, module: nn.Module, folder: Path) -> None:
        """Add the merged weights.

        Args:
            module: Read back from the directory.
            folder: The directory, with tokenizer and template.
        """
        form = measure_module(module, folder, Measured("merged weights in torch", "F32", "torch", True), self.reference)
        self._forms.append((form, True, narrow_format(folder)))

    def served(
        self,
        name: str,
        spec: LoadSpec,
        *,
        numbers: str,
        exact: bool,
        home: Path,
        stored: Stored = Stored(),  # noqa: B008  (immutable)
        end: int | None = None,
    ) -> None:
        """Add a form as the platform serves it.

        Args:
            name: For people.
            spec: As the catalog will give it to the engine pool.
            numbers: How the weights are kept.
            exact: Whether tokens must be equal.
            home: Where the engine's socket and log may lie.
            stored: What was found out about the file.
            end: The mark that ends answers, as the form holds it.
        """
        form = Measured(name, numbers, spec.engine, exact, stored=stored, end=end)
        self._forms.append((asyncio.run(self._ask(spec, form, home)), False, ""))

    def certificate(self, *, name: str, method: str, reference: str, now: datetime) -> Certificate:
        """The verdict on all forms.

        Args:
            name: Of the model.
            method: How it was trained.
            reference: What the trainer's model is, in words.
            now: Of the record.
        """
        assert self._noise is not None, "noise is measured before judging"
        expected = self._expected(self._noise)
        forms: list[FormReport] = [
            judge(form, expected, merged=merged, narrow=narrow) for form, merged, narrow in self._forms
        ]
        return Certificate(
            version=VERSION,
            name=name,
            method=method,
            reference=reference,
            steps=self.steps,
            noise_nats=self._noise.deviation,
            forms=tuple(forms),
            created_at=now.isoformat(timespec="seconds"),
            environment=_environment(),
        )

    def _expected(self, noise: Difference) -> Expected:
        reference = self.reference
        tokenizer = reference.tokenizer
        begin = tokenizer.piece(tokenizer.bos) if tokenizer.bos is not None else ""
        return Expected(
            golden=reference.golden,
            plain=[read(text, tokenizer) for text in TEXTS],
            answers=reference.answers,
            written=[as_written(answer, tokenizer) for answer in reference.answers],
            paths=reference.paths,
            special=tokenizer.special,
            begin=begin,
            end=tokenizer.eos,
            noise=noise,
        )

    async def _ask(self, spec: LoadSpec, form: Measured, home: Path) -> Measured:
        reference = self.reference
        pool = EnginePool(EngineSettings(slots=1, keep_alive_s=0), home)
        try:
            engine = await pool.engine(spec)
            return await measure_engine(
                engine, form, reference.golden, reference.paths, reference.tokenizer, steps=reference.steps
            )
        except ModelFailure as error:
            raise InvalidRequest(
                f"the {form.name} could not be asked: {error.message} A training that diverged does this: lower "
                "learning_rate, or keep the weights as F32"
            ) from error
        finally:
            await pool.close()


def as_written(answer: Sequence[int], tokenizer: ModelTokenizer) -> Written | None:
    """An answer as an engine writes it; None where that is not settled: half a character, or thoughts."""
    text = tokenizer.tokens.decode([token for token in answer if token not in tokenizer.special])
    if "\ufffd" in text or (tokenizer.template is not None and THOUGHTS[0] in tokenizer.template.source):
        return None
    return Written(text, bool(answer) and answer[-1] in tokenizer.ends)


def _environment() -> dict[str, str]:
    found = {"python": platform.python_version(), "machine": platform.machine()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
