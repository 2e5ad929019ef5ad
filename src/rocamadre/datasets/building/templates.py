"""Rows of a table as examples, through templates that can reach nothing but the row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

from jinja2 import StrictUndefined, TemplateError, Undefined
from jinja2.nativetypes import NativeEnvironment
from jinja2.sandbox import ImmutableSandboxedEnvironment, SandboxedEnvironment

from rocamadre.core.errors import InvalidRequest
from rocamadre.datasets.problems import BadRecord
from rocamadre.datasets.types import Chat, Example, Preference, Prompt, Text, Turn

MOST_LETTERS = 1_000_000
_FAILURES = (TemplateError, ValueError, TypeError, KeyError, AttributeError, ArithmeticError, RecursionError)
_FORMS = (("text",), ("prompt", "completion"), ("prompt", "chosen", "rejected"), ("prompt",))


class _Conditions(SandboxedEnvironment, NativeEnvironment):
    """Expressions whose value is wanted, not their text."""


class RowTemplate:
    """What to make of each row.

    Args:
        texts: Jinja templates by what they write: `text`; or `prompt` and `completion`; or `prompt`, `chosen` and
            `rejected`; or `prompt` alone. `system` may come with all but `text`.
        where: A Jinja expression; rows for which it is not true are passed over. Empty takes all.
        task: Name of the task, kept with each conversation.

    Raises:
        InvalidRequest: a template does not compile, or they make no record.
    """

    def __init__(self, texts: Mapping[str, str], *, where: str = "", task: str = "") -> None:
        names = {name for name in texts if texts[name]} - {"system"}
        if names not in map(set, _FORMS) or ("system" in texts and "text" in names):
            forms = "; ".join(" and ".join(form) for form in _FORMS)
            raise InvalidRequest(
                f"templates for {', '.join(sorted(names)) or 'nothing'} make no record; give {forms}; with system, "
                "too, but for text"
            )
        environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined, keep_trailing_newline=True)
        conditions = _Conditions(undefined=StrictUndefined)
        try:
            self._texts = {name: environment.from_string(text) for name, text in texts.items() if text}
            self._where = conditions.from_string("{{ (" + where + ") }}") if where else None
        except _FAILURES as error:
            raise InvalidRequest(f"a template does not compile: {error}") from error
        self._task = task

    def wants(self, row: Mapping[str, Any]) -> bool:
        """Whether the row is taken.

        Raises:
            BadRecord: the condition fails on it.
        """
        if self._where is None:
            return True
        try:
            found = self._where.render(row)
        except _FAILURES as error:
            _fail("where", error, row)
        return bool(found) and not isinstance(found, Undefined)

    def example(self, row: Mapping[str, Any]) -> Example:
        """The row as an example; blanks around what a template writes are taken away.

        Raises:
            BadRecord: a column is not there, a template fails, or writes nothing or too much.
        """
        written = {name: self._render(name, row) for name in self._texts}
        if "text" in written:
            return Text(written["text"])
        system = (Turn("system", written["system"]),) if written.get("system") else ()
        asked = (*system, Turn("user", written["prompt"]))
        if "chosen" in written:
            return Preference(asked, written["chosen"], written["rejected"])
        if "completion" in written:
            return Chat((*asked, Turn("assistant", written["completion"])), self._task)
        return Prompt(asked)

    def _render(self, name: str, row: Mapping[str, Any]) -> str:
        pieces, letters = [], 0
        try:
            for piece in self._texts[name].generate(row):
                pieces.append(piece)
                letters += len(piece)
                if letters > MOST_LETTERS:
                    raise BadRecord("record-too-large", name, f"it writes over {MOST_LETTERS} letters", "write less")
        except _FAILURES as error:
            _fail(name, error, row)
        text = "".join(pieces).strip()
        if not text and name != "system":
            fix = "fill the columns, or pass such rows over with where"
            raise BadRecord("empty", name, "the template writes nothing for this row", fix)
        return text


def _fail(name: str, error: Exception, row: Mapping[str, Any]) -> NoReturn:
    columns = ", ".join(map(str, list(row)[:20]))
    raise BadRecord("template", name, f"the template fails: {error}", f"the columns are {columns}") from error
