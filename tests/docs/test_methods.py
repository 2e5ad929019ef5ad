"""The page about training methods says what the program does, and its code runs."""

from __future__ import annotations

import re

from rocamadre.training.methods.facts import FACTS
from rocamadre.training.methods.table import methods_table, settings_table, with_tables


def page(checkout):
    return (checkout / "docs" / "methods.md").read_text("utf-8")


def test_the_tables_are_current(checkout):
    text = page(checkout)
    assert with_tables(text) == text, "run: python -m rocamadre.training.methods.table docs/methods.md"


def test_every_method_and_every_setting_has_a_row():
    rows = methods_table().splitlines()[2:]
    assert [row.split("`")[1] for row in rows] == list(FACTS)
    named = re.findall(r"^\| `(\w+)` \| [^|]* \| (?!\|)[^|]+ \| [^|]+ \|$", settings_table(), re.M)
    assert named == [name for facts in FACTS.values() for name in facts.settings.model_fields]


def test_the_programs_run(checkout, capsys):
    blocks = re.findall(r"^```python\n(.*?)^```", page(checkout), re.M | re.S)
    assert len(blocks) == 2
    for block in blocks:
        exec(compile(block, "docs/methods.md", "exec"), {"__name__": "page"})
    assert "LlamaForCausalLM" in capsys.readouterr().out
