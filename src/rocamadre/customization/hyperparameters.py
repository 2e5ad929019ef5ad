"""Hyperparameters of a job: those that Amazon documents for the base's family, and ours; all of them strings.

Amazon's names and ranges: the Bedrock user guide, "Custom model hyperparameters". What a client leaves out is not
Amazon's default, which suits models of another size, but ours.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

import msgspec
from pydantic import BaseModel, ValidationError

from rocamadre.core.errors import InvalidRequest
from rocamadre.customization.types import CustomizationType
from rocamadre.training.methods.facts import FACTS, MethodFacts
from rocamadre.training.settings import TrainingSettings

OURS = "Rocamadre"
"""Stands for a foundation model of none of Amazon's families."""
MOST = 64
_MOST_SHOWN = 80


class Documented(NamedTuple):
    """One documented hyperparameter: a closed range of numbers."""

    low: float
    high: float
    whole: bool = True

    def __str__(self) -> str:
        kind = "whole numbers" if self.whole else "numbers"
        return f"{kind} from {self.low:g} to {self.high:g}"


_Family = Mapping[str, Documented]

_LLAMA: _Family = {
    "epochCount": Documented(1, 10),
    "batchSize": Documented(1, 1),
    "learningRate": Documented(5e-6, 0.1, whole=False),
}
_COHERE: _Family = {
    "epochCount": Documented(1, 100),
    "batchSize": Documented(8, 8),
    "learningRate": Documented(5e-6, 0.1, whole=False),
    "earlyStoppingThreshold": Documented(0, 0.1, whole=False),
    "earlyStoppingPatience": Documented(1, 10),
    "evalPercentage": Documented(5, 50, whole=False),
}
_OURS_DOCUMENTED: _Family = {
    "epochCount": Documented(1, 1000),
    "batchSize": Documented(1, 4096),
    "learningRate": Documented(0, 1, whole=False),
    "learningRateMultiplier": Documented(0.01, 100, whole=False),
    "learningRateWarmupSteps": Documented(0, 1_000_000),
    "earlyStoppingThreshold": Documented(0, 10, whole=False),
    "earlyStoppingPatience": Documented(1, 1000),
    "evalPercentage": Documented(0, 90, whole=False),
}
FAMILIES: dict[str, _Family] = {
    "amazon.titan-text-premier-*": {
        "epochCount": Documented(1, 5),
        "batchSize": Documented(1, 1),
        "learningRate": Documented(1e-7, 1e-5, whole=False),
        "learningRateWarmupSteps": Documented(0, 20),
    },
    "amazon.titan-*": {
        "epochCount": Documented(1, 10),
        "batchSize": Documented(1, 64),
        "learningRate": Documented(0, 1, whole=False),
        "learningRateWarmupSteps": Documented(0, 250),
    },
    "amazon.nova-*": {
        "epochCount": Documented(1, 5),
        "learningRate": Documented(1e-6, 1e-4, whole=False),
        "learningRateWarmupSteps": Documented(0, 100),
    },
    "anthropic.claude-*": {
        "epochCount": Documented(1, 10),
        "batchSize": Documented(4, 256),
        "learningRateMultiplier": Documented(0.1, 2, whole=False),
        "earlyStoppingThreshold": Documented(0, 0.1, whole=False),
        "earlyStoppingPatience": Documented(1, 10),
    },
    "cohere.command-light-*": {**_COHERE, "batchSize": Documented(8, 32)},
    "cohere.command-*": _COHERE,
    "meta.llama*": _LLAMA,
    "*": _OURS_DOCUMENTED,
}
"""Patterns of foundation model ids to what Amazon documents; the first that matches decides, the last is for others."""

_OURS_OF = {
    "epochCount": "epochs",
    "batchSize": "batch_size",
    "learningRate": "learning_rate",
    "learningRateMultiplier": "learning_rate",
    "learningRateWarmupSteps": "warmup_steps",
    "earlyStoppingThreshold": "early_stopping_gain",
    "earlyStoppingPatience": "early_stopping",
    "evalPercentage": "validation_share",
}
PUBLISHED: dict[str, tuple[str, ...]] = {
    "serving": ("merged", "adapter"),
    "weights": ("F16", "F32", "Q8_0", "Q4_0"),
}
"""Of what is made of the trained model, the default first: an adapter beside its base, the numbers of its file."""


def documented(base_id: str) -> Mapping[str, Documented]:
    """What Amazon documents for a foundation model."""
    return next(family for pattern, family in FAMILIES.items() if fnmatchcase(base_id, pattern))


def published(given: Mapping[str, str]) -> dict[str, str]:
    """How the trained model is published; `read` has checked it."""
    return {name: given.get(name, values[0]) for name, values in PUBLISHED.items()}


def read(base_id: str, kind: CustomizationType, given: Mapping[str, str], *, context_length: int) -> TrainingSettings:
    """A run's settings.

    Args:
        base_id: The foundation model that the client named; its family decides which documented names there are.
        kind: What is done; continued pre-training moves all weights unless told otherwise.
        given: Name to value. Ours are the fields of `TrainingSettings`, those of the method's own settings, and, only
            checked here, the names of `PUBLISHED`.
        context_length: Of the local model; rows are no longer.

    Raises:
        InvalidRequest: a name is unknown, a value out of range, or two say the same; all that is wrong at once.
    """
    if len(given) > MOST:
        raise InvalidRequest(f"hyperParameters: {len(given)} were given, at most {MOST} are taken")
    method = given.get("method", "full" if kind == "CONTINUED_PRE_TRAINING" else "lora")
    if method not in FACTS:
        raise InvalidRequest(f"hyperParameters: method is {_short(method)}; there are: {', '.join(FACTS)}")
    reading = _Reading(base_id, FACTS[method])
    reading.values["max_length"] = min(TrainingSettings.model_fields["max_length"].default, context_length or 512)
    for name, text in given.items():
        reading.take(name, text)
    settings = reading.result()
    if settings.max_length > context_length > 0:
        raise InvalidRequest(
            f"hyperParameters: max_length is {settings.max_length}; the model reads at most {context_length} tokens"
        )
    return settings


class _Reading:
    """What was understood so far, and what was wrong."""

    def __init__(self, base_id: str, facts: MethodFacts) -> None:
        self.values: dict[str, Any] = {"method": facts.name, "learning_rate": facts.learning_rate}
        self._base_id = base_id
        self._facts = facts
        self._family = documented(base_id)
        self._own: dict[str, Any] = {}
        self._said: dict[str, str] = {}
        self._wrong: list[str] = []

    def take(self, name: str, text: str) -> None:
        """Read one."""
        target = _OURS_OF.get(name, name)
        if target in self._said:
            self._wrong.append(f"{self._said[target]} and {name} say the same; give one of them")
        self._said[target] = name
        if name in self._family:
            self._take_documented(name, self._family[name], text)
        elif name in PUBLISHED:
            if text not in PUBLISHED[name]:
                self._wrong.append(f"{name} is {_short(text)}; it takes {', '.join(PUBLISHED[name])}")
        elif name == "method_settings":
            self._own.update(_object(text, self._wrong))
        elif name in TrainingSettings.model_fields:
            self.values[name] = text
        elif name in self._facts.settings.model_fields:
            self._own[name] = text
        else:
            self._wrong.append(f"{_short(name)} is unknown; {self._allowed()}")

    def result(self) -> TrainingSettings:
        """The settings.

        Raises:
            InvalidRequest: something was wrong.
        """
        own = _checked(self._facts.settings, self._own, f" of method {self._facts.name}", self._wrong)
        if own is not None:
            self.values["method_settings"] = own.model_dump(mode="json", exclude_unset=True)
        settings = _checked(TrainingSettings, self.values, "", self._wrong, self._said)
        if self._wrong or not isinstance(settings, TrainingSettings):
            raise InvalidRequest("hyperParameters: " + "; ".join(self._wrong))
        return settings

    def _take_documented(self, name: str, range_: Documented, text: str) -> None:
        value = _number(text, whole=range_.whole)
        if value is None or not range_.low <= value <= range_.high:
            self._wrong.append(f"{name} is {_short(text)}; {self._base_id} takes {range_}")
        elif name == "learningRateMultiplier":
            self.values["learning_rate"] = self._facts.learning_rate * value
        elif name == "evalPercentage":
            self.values["validation_share"] = value / 100
        elif name == "batchSize":
            # Amazon counts samples; a packed row holds several.
            self.values |= {"batch_size": int(value), "packing": False}
        else:
            self.values[_OURS_OF[name]] = int(value) if range_.whole else value

    def _allowed(self) -> str:
        ours = ", ".join(name for name in (*TrainingSettings.model_fields, *PUBLISHED) if name != "method_settings")
        return (
            f"{self._base_id} takes {', '.join(self._family)}; Rocamadre's own are {ours}, and of method "
            f"{self._facts.name}: {', '.join(self._facts.settings.model_fields)}"
        )


def _number(text: str, *, whole: bool) -> float | None:
    try:
        value = int(text) if whole else float(text)
    except ValueError:
        return None
    return float(value) if math.isfinite(value) else None


def _object(text: str, wrong: list[str]) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(text)
    except msgspec.DecodeError:
        found = None
    if not isinstance(found, dict):
        wrong.append(f'method_settings is {_short(text)}; it is a JSON object such as {{"rank": 8}}')
        return {}
    return found


def _checked(
    model: type[BaseModel], values: dict[str, Any], whose: str, wrong: list[str], said: Mapping[str, str] | None = None
) -> BaseModel | None:
    try:
        return model.model_validate(values)
    except ValidationError as error:
        for found in error.errors():
            name = ".".join(str(part) for part in found["loc"][:1]) or "method_settings"
            shown = (said or {}).get(name, name)
            given = f" is {_short(str(values[name]))}" if name in values else ""
            wrong.append(f"{shown}{whose}{given}; {found['msg'].lower()}")
        return None


def _short(text: str) -> str:
    return repr(text if len(text) <= _MOST_SHOWN else text[: _MOST_SHOWN - 3] + "...")
