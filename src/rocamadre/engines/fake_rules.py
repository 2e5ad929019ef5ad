"""The fake engine's script: a JSON or TOML file with a list of rules; the first that matches decides.

```toml
[[rules]]
match = "weather"                # the last user text contains this…
regex = "(?i)in (Lisbon|Sucre)"  # …and this is found in it
system = "be brief"              # …and the system prompt contains this; each may be left out
answer = "Sunny."                # streamed word by word after the mark `[fake] `
delay_s = 0.01                   # before each token
first_delay_s = 0.5              # before the first

[[rules]]
match = "book a table"
tool = { name = "book", input = { people = 2 } }

[[rules]]
match = "break"
error = "model_failure"          # or: invalid, not_ready, throttled, timeout, unavailable
error_after = 3                  # tokens streamed before it
```

More: `stop_reason` (reported instead of the true one), `error_message`, and `mark = false` for a scripted `answer`
that must be exact, such as JSON; whoever writes that knows it is fake.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from rocamadre.core.errors import (
    InvalidRequest,
    ModelFailure,
    ModelNotReady,
    ModelTimeout,
    RocamadreError,
    Throttled,
    Unavailable,
)
from rocamadre.core.messages import StopReason

ERRORS: dict[str, type[RocamadreError]] = {
    "invalid": InvalidRequest,
    "model_failure": ModelFailure,
    "not_ready": ModelNotReady,
    "throttled": Throttled,
    "timeout": ModelTimeout,
    "unavailable": Unavailable,
}


class ToolCall(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A tool to call, and with what."""

    name: str
    input: Any = msgspec.field(default_factory=dict)


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One rule; the module's text explains the fields."""

    match: str = ""
    regex: str = ""
    system: str = ""
    answer: str | None = None
    mark: bool = True
    tool: ToolCall | None = None
    delay_s: float = 0.0
    first_delay_s: float = 0.0
    error: str = ""
    error_after: int = 0
    error_message: str = ""
    stop_reason: StopReason | None = None


class _File(msgspec.Struct, forbid_unknown_fields=True):
    rules: list[Rule] = []


def load_rules(source: str | Sequence[Any]) -> tuple[Rule, ...]:
    """Read rules from a file, or from a list of their JSON forms.

    Raises:
        InvalidRequest: the file cannot be read, or a rule is wrong; the message says where.
    """
    try:
        if isinstance(source, str):
            path = Path(source)
            data = path.read_bytes()
            document = tomllib.loads(data.decode()) if path.suffix == ".toml" else msgspec.json.decode(data)
        else:
            document = list(source)
        if isinstance(document, list):
            document = {"rules": document}
        rules = tuple(msgspec.convert(document, _File).rules)
        for rule in rules:
            re.compile(rule.regex)
    except (OSError, ValueError, re.error) as error:
        raise InvalidRequest(f"fake engine's rules: {error}") from error
    for index, rule in enumerate(rules):
        if rule.error and rule.error not in ERRORS:
            raise InvalidRequest(
                f"fake engine's rules[{index}]: error {rule.error!r}; allowed: {', '.join(sorted(ERRORS))}"
            )
    return rules


def find_rule(rules: tuple[Rule, ...], text: str, system: str) -> Rule | None:
    """The first rule that matches the last user text and the system prompt."""
    for rule in rules:
        if rule.match in text and rule.system in system and (not rule.regex or re.search(rule.regex, text)):
            return rule
    return None
