"""Reading data with every record checked, before anything trains."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from rocamadre.core.errors import InvalidRequest
from rocamadre.datasets.canonical import encode
from rocamadre.datasets.content import digest64
from rocamadre.datasets.formats.registry import FORMATS, detect_format, no_format
from rocamadre.datasets.formats.types import Format, Record
from rocamadre.datasets.problems import BadRecord, Problem
from rocamadre.datasets.readers.registry import read_rows
from rocamadre.datasets.rendered import both_answers, render_example
from rocamadre.datasets.sources import Source
from rocamadre.datasets.tokenizer import ModelTokenizer
from rocamadre.datasets.types import Chat, Example, Preference, Prompt, Text

MOST_LISTED = 100
"""Problems that a report lists; all are counted."""

_IN_MESSAGE = 5
_MOST_REMEMBERED = 2_000_000
_KINDS: dict[type, str] = {
    Text: "running text",
    Chat: "a conversation with its answer",
    Prompt: "a conversation without an answer",
    Preference: "a preference pair",
}
_HOW = {
    Text: "write {'text': …} or {'input': …}",
    Chat: "end it with the assistant's turn, or write prompt and completion",
    Prompt: "end it with the user's turn",
    Preference: "write prompt, chosen and rejected",
}


@dataclass(frozen=True, slots=True)
class Rules:
    """What records must be.

    Attributes:
        format: A name in `FORMATS`; None detects it by the first record of each file.
        kinds: Kinds of example that are wanted; None takes all, but one kind only.
        tokenizer: Counts tokens; None leaves lengths alone.
        max_length: Most tokens of a conversation, as it will be rendered; running text is cut into rows and has none.
        encoding: Of the files; empty detects it.
        ignore_unknown: Pass over members that the format does not know, instead of refusing them.
    """

    format: str | None = None
    kinds: Collection[type] | None = None
    tokenizer: ModelTokenizer | None = None
    max_length: int | None = None
    encoding: str = ""
    ignore_unknown: bool = False


@dataclass(slots=True)
class Report:
    """What was found.

    Attributes:
        files: As their sources are called.
        formats: By file; a name in `FORMATS`.
        records: Read, good or bad.
        good: Records that can be used.
        by_kind: Problems by kind, all of them.
        problems: The first ones, in the files' order.
        tokens: Of all good records; 0 without a tokenizer.
        longest: Tokens of the longest.
        place: File and line of the example that was taken last.
    """

    files: list[str] = field(default_factory=list)
    formats: dict[str, str] = field(default_factory=dict)
    records: int = 0
    good: int = 0
    by_kind: Counter[str] = field(default_factory=Counter)
    problems: list[Problem] = field(default_factory=list)
    tokens: int = 0
    longest: int = 0
    errors: int = 0
    warnings: int = 0
    place: tuple[str, int] = ("", 0)

    @property
    def ok(self) -> bool:
        """Whether all of it can be used."""
        return self.errors == 0 and self.good > 0

    def add(self, problem: Problem) -> None:
        """Count a problem, and list it while there is room."""
        self.by_kind[problem.kind] += 1
        if problem.is_warning:
            self.warnings += 1
        else:
            self.errors += 1
        if len(self.problems) < MOST_LISTED:
            self.problems.append(problem)

    def as_json(self) -> dict[str, Any]:
        """The report as JSON can hold it."""
        return {
            "ok": self.ok,
            "files": self.files,
            "formats": self.formats,
            "records": self.records,
            "good": self.good,
            "errors": self.errors,
            "warnings": self.warnings,
            "by_kind": dict(self.by_kind),
            "tokens": self.tokens,
            "longest": self.longest,
            "problems": [
                {
                    "file": each.file,
                    "line": each.line,
                    "field": each.field,
                    "kind": each.kind,
                    "warning": each.is_warning,
                    "message": each.message,
                    "fix": each.fix,
                }
                for each in self.problems
            ],
        }

    def summary(self) -> str:
        """Totals and the first errors, in a few sentences.

        >>> Report(records=3, good=3).summary()
        '3 records, all good'
        """
        if self.ok:
            return f"{self.records} records, all good"
        counts = ", ".join(f"{kind} {count}" for kind, count in self.by_kind.most_common())
        shown = [str(each) for each in self.problems if not each.is_warning][:_IN_MESSAGE]
        more = f"\n… and {self.errors - len(shown)} more" if self.errors > len(shown) else ""
        word = "problem" if self.errors == 1 else "problems"
        head = f"the data cannot be used: {self.errors} {word} in {self.records} records ({counts})"
        return head + ":\n" + "\n".join(shown) + more


def validate(sources: Iterable[Source], rules: Rules | None = None) -> Report:
    """Check all records.

    Returns:
        A report; what is wrong with records is in it, not raised.

    Raises:
        NotFound: a file is not there.
        MissingDependency: a package is needed that is not installed.
        Unknown: the format is not known.
    """
    report = Report()
    for _ in checked(sources, report, rules):
        pass
    return report


def load_examples(
    sources: Iterable[Source], rules: Rules | None = None, *, report: Report | None = None
) -> Iterator[Example]:
    """All examples, in order, if every record is good; one is held at a time.

    The error comes at the end, when all problems are known; hand the examples to something that keeps them whole or not
    at all, such as `canonical.write`.

    Args:
        sources: From `find_sources`.
        rules: What records must be.
        report: Filled as the examples are taken.

    Raises:
        InvalidRequest: a record is bad, or there is none; the message names the first problems and counts all.
        NotFound: a file is not there.
    """
    report = report if report is not None else Report()
    yield from checked(sources, report, rules)
    if not report.ok:
        raise InvalidRequest(report.summary())


def checked(sources: Iterable[Source], report: Report, rules: Rules | None = None) -> Iterator[Example]:
    """The good examples; what is wrong with the others goes to the report. Raises as `validate` does."""
    rules = rules or Rules()
    check = _Check(report, rules)
    for source in sources:
        yield from check.file(source)
    if report.records == 0 and not report.errors:
        names = ", ".join(report.files) or "the place"
        report.add(Problem(names, 0, "", "empty", "there is no record", "write at least one"))


class _Check:
    """One reading of several files."""

    def __init__(self, report: Report, rules: Rules) -> None:
        self._report = report
        self._rules = rules
        self._chosen: Format | None = FORMATS.load(rules.format) if rules.format else None
        self._kinds: Collection[type] | None = rules.kinds
        self._seen: dict[int, tuple[int, int]] = {}

    def file(self, source: Source) -> Iterator[Example]:
        report = self._report
        number = len(report.files)
        report.files.append(source.name)
        format_ = self._chosen
        try:
            for row in read_rows(source, self._rules.encoding):
                report.records += 1
                try:
                    if row.value is None:
                        assert row.problem is not None
                        raise row.problem
                    format_ = self._format(format_, row.value)
                    report.formats.setdefault(source.name, format_.name)
                    example = self._example(format_, row.value)
                except BadRecord as problem:
                    report.add(problem.at(source.name, row.line))
                    continue
                self._look_for_twin(example, number, row.line)
                report.good += 1
                report.place = (source.name, row.line)
                yield example
        except InvalidRequest as error:
            report.add(Problem(source.name, 0, "", "json", error.message, "give a whole file"))

    def _format(self, known: Format | None, record: Record) -> Format:
        if known is None:
            found = detect_format(record)
            if found is None:
                raise no_format(record)
            return found
        names = record.keys() - {name for name, value in record.items() if value is None}
        if names <= {*known.required, *known.optional}:
            return known
        found = detect_format(record) if not self._chosen else None
        if found is not None and found.name != known.name:
            message = f"the record is in the format {found.name!r}, the file in {known.name!r}"
            raise BadRecord("mixed", "", message, "keep one format a file")
        return known

    def _example(self, format_: Format, record: Record) -> Example:
        if self._rules.ignore_unknown:
            known = {*format_.required, *format_.optional}
            record = {name: value for name, value in record.items() if name in known}
        example = format_.read(record)
        self._check_kind(example)
        if self._rules.tokenizer is not None:
            self._check_length(example, self._rules.tokenizer)
        return example

    def _check_kind(self, example: Example) -> None:
        if self._kinds is None:
            self._kinds = (type(example),)
        if isinstance(example, tuple(self._kinds)):
            return
        wanted = " or ".join(_KINDS[kind] for kind in self._kinds)
        fix = "; or ".join(_HOW[kind] for kind in self._kinds)
        raise BadRecord("kind", "", f"it is {_KINDS[type(example)]}; wanted is {wanted}", fix)

    def _check_length(self, example: Example, tokenizer: ModelTokenizer) -> None:
        try:
            if isinstance(example, Text):
                length = tokenizer.count(example.text) + 1
            elif isinstance(example, Preference):
                pair = both_answers(example)
                length = max(len(render_example(each, tokenizer, tokenizer.template).ids) for each in pair)
            else:
                length = len(render_example(example, tokenizer, tokenizer.template).ids)
        except InvalidRequest as error:
            raise BadRecord("template", "", error.message, "choose another base model, or change the record") from error
        most = self._rules.max_length
        if most is not None and length > most and not isinstance(example, Text):
            raise BadRecord(
                "too-long", "", f"it has {length} tokens, at most {most} are taken", "shorten it, or raise the length"
            )
        self._report.tokens += length
        self._report.longest = max(self._report.longest, length)

    def _look_for_twin(self, example: Example, file: int, line: int) -> None:
        key = digest64(encode(example))
        twin = self._seen.get(key)
        if twin is not None:
            name = self._report.files[twin[0]]
            where = f"line {twin[1]}" if twin[0] == file else f"{name}, line {twin[1]}"
            problem = BadRecord(
                "duplicate", "", f"it is the same as {where}", "take one away, or leave it: it counts twice"
            )
            self._report.add(problem.at(self._report.files[file], line))
        elif len(self._seen) < _MOST_REMEMBERED:
            self._seen[key] = (file, line)
