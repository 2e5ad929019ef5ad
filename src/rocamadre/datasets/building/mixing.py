"""Tasks from tables, mixed by weight.

```toml
seed = 7                  # another one mixes otherwise
records = 1000            # in all; without it as many as the weights allow without a row coming twice

[[task]]
name = "intent"
table = "questions.csv"   # beside this file, or s3://…; CSV, Parquet, JSON Lines
weight = 2                # two records of this for one of weight 1
where = "label != ''"
system = "Answer with one word."
prompt = "What does this ask for? {{ text }}"
completion = "{{ label }}"
```
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from rocamadre.core.errors import InvalidRequest
from rocamadre.datasets.building.templates import RowTemplate
from rocamadre.datasets.canonical import decode, encode
from rocamadre.datasets.content import digest64
from rocamadre.datasets.problems import BadRecord, Problem
from rocamadre.datasets.readers.registry import read_rows
from rocamadre.datasets.sources import Source
from rocamadre.datasets.types import Example
from rocamadre.datasets.validation import Report


class Task(BaseModel):
    """One table and what to make of its rows."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(default="", description="Kept with each conversation of a mix.")
    table: str
    weight: float = Field(default=1.0, gt=0)
    where: str = ""
    system: str = ""
    prompt: str = ""
    completion: str = ""
    chosen: str = ""
    rejected: str = ""
    text: str = ""

    def template(self) -> RowTemplate:
        """Its templates.

        Raises:
            InvalidRequest: they do not compile, or make no record.
        """
        names = ("system", "prompt", "completion", "chosen", "rejected", "text")
        texts = {name: getattr(self, name) for name in names if getattr(self, name)}
        return RowTemplate(texts, where=self.where, task=self.name)


class Recipe(BaseModel):
    """A mix."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    seed: int = 0
    records: int | None = Field(default=None, ge=1)
    task: tuple[Task, ...] = Field(min_length=1)


def read_recipe(path: Path) -> Recipe:
    """A recipe of a TOML file; see the module.

    Raises:
        InvalidRequest: it cannot be read, or a member is wrong.
    """
    try:
        return Recipe(**tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InvalidRequest(f"{path} cannot be read: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        raise InvalidRequest(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error


def build_mix(recipe: Recipe, open_table: Callable[[str], Sequence[Source]]) -> list[Example]:
    """The records of a mix, in an order that content and seed decide; held in memory.

    Args:
        recipe: What to make.
        open_table: A table's files by what the recipe calls it.

    Raises:
        InvalidRequest: rows cannot be used, with the first of them; or a task has too few.
        NotFound: a table is not there.
    """
    made = [_made(number, task, open_table(task.table), recipe.seed) for number, task in enumerate(recipe.task)]
    counts = _counts(recipe, [len(each) for each in made])
    chosen = [each for rows, count in zip(made, counts, strict=True) for each in rows[:count]]
    chosen.sort(key=lambda each: (digest64(each[1], seed=recipe.seed + 2), each[0]))
    return [decode(line) for _, line in chosen]


def _made(number: int, task: Task, sources: Sequence[Source], seed: int) -> list[tuple[int, bytes]]:
    """All records of a task as (place, line), shuffled by their content."""
    template = task.template()
    report = Report()
    found: list[tuple[int, bytes]] = []
    for source in sources:
        for row in read_rows(source):
            report.records += 1
            try:
                if row.value is None:
                    assert row.problem is not None
                    raise row.problem
                if template.wants(row.value):
                    found.append((number << 40 | report.records, encode(template.example(row.value))))
            except BadRecord as problem:
                report.add(problem.at(source.name, row.line))
    if not found and not report.errors:
        report.add(Problem(task.table, 0, "", "empty", f"task {task.name or number + 1} has no row", "check where"))
    if report.errors:
        raise InvalidRequest(report.summary())
    return sorted(found, key=lambda each: (digest64(each[1], seed=seed + 1), each[0]))


def _counts(recipe: Recipe, there: Sequence[int]) -> list[int]:
    """Records of each task; largest remainders settle what the weights leave open."""
    total = sum(task.weight for task in recipe.task)
    shares = [task.weight / total for task in recipe.task]
    records = recipe.records
    if records is None and len(recipe.task) == 1:
        return list(there)
    if records is None:
        records = int(min(count / share for count, share in zip(there, shares, strict=True)) + 1e-9)
    exact = [records * share for share in shares]
    counts = [int(each + 1e-9) for each in exact]
    order = sorted(range(len(exact)), key=lambda index: (counts[index] - exact[index], index))
    for index in order[: records - sum(counts)]:
        counts[index] += 1
    for task, wanted, count in zip(recipe.task, counts, there, strict=True):
        if wanted > count:
            raise InvalidRequest(
                f"task {task.name or task.table!r} has {count} rows, the mix wants {wanted} of it; lower records or "
                "its weight"
            )
    return counts
