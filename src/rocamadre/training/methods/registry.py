"""The methods there are, by name. Loading one imports torch; `facts_of` and `check_settings` do not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError

from rocamadre.core.errors import FieldError, InvalidRequest
from rocamadre.core.registry import Registry
from rocamadre.training.methods.facts import FACTS, MethodFacts

if TYPE_CHECKING:
    from rocamadre.training.methods.protocol import Method

METHODS: Registry[Callable[[], Method]] = Registry(
    "method",
    {
        "full": "rocamadre.training.methods.full:Full",
        "lora": "rocamadre.training.methods.lora:Lora",
        "qlora": "rocamadre.training.methods.qlora:Qlora",
        "prompt-tuning": "rocamadre.training.methods.prompt_tuning:PromptTuning",
        "prefix-tuning": "rocamadre.training.methods.prefix_tuning:PrefixTuning",
        "ia3": "rocamadre.training.methods.ia3:Ia3",
        "loreft": "rocamadre.training.methods.loreft:Loreft",
    },
    extra=dict.fromkeys(FACTS, "train"),
)


def make_method(name: str) -> Method:
    """The method of this name; imports torch.

    Raises:
        Unknown: there is none; the message lists those that exist.
        MissingDependency: the extra `train` is not installed.
    """
    return METHODS.load(name)()


def facts_of(name: str) -> MethodFacts:
    """What there is to know of a method; only a plugin's needs its import.

    Raises:
        Unknown: there is none of this name.
    """
    return FACTS[name] if name in FACTS else make_method(name).facts


def check_settings(name: str, given: Mapping[str, Any]) -> BaseModel:
    """A method's settings, checked.

    Args:
        name: The method.
        given: Its settings by name, as JSON or a TOML file has them; those left out get their defaults.

    Raises:
        InvalidRequest: a name is unknown or a value not allowed; `fields` has each under `method_settings.`.

    >>> check_settings("ia3", {"attention": False}).feedforward
    True
    """
    model = facts_of(name).settings
    try:
        return model.model_validate(dict(given))
    except ValidationError as error:
        fields = tuple(_field(item) for item in error.errors(include_url=False))
    known = ", ".join(model.model_fields)
    lines = "; ".join(f"{field.name}: {field.message}" for field in fields)
    raise InvalidRequest(f"settings of the method {name!r}: {lines}. It has: {known}", fields=fields)


def _field(item: Any) -> FieldError:
    path = ".".join(["method_settings", *map(str, item["loc"])])
    if item["type"] == "extra_forbidden":
        return FieldError(path, "there is no such setting")
    shown = f" (given: {item['input']!r})" if item["loc"] else ""
    return FieldError(path, item["msg"].removeprefix("Value error, ") + shown)
