from __future__ import annotations

import json

import pytest

from rocamadre.core.settings import load_settings
from rocamadre.store.objects.registry import open_objects

ROWS = [{"prompt": f"What is number {n} of the list?", "completion": f"Number {n}: {'la ' * n}"} for n in range(1, 13)]


@pytest.fixture
def data(tmp_path, home):
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return "rows.jsonl"


@pytest.fixture(scope="module")
def _mini(checkout, needs):
    needs(list((checkout / "models" / "roca-mini").glob("*.gguf")), "the model roca-mini is not there")


def test_data_comes_and_goes(roca, data, home):
    added = roca("data", "import", data, "--name", "support", "--json")
    assert added.code == 0
    assert added.json["dataset"]["records"] == 12
    assert added.json["report"]["ok"]
    assert [each["name"] for each in roca("data", "list", "--json").json] == ["support"]
    shown = roca("data", "show", "support", "--json").json
    assert shown["path"].startswith(str(home / "datasets"))
    assert "prompt-completion" in roca("data", "list").out
    assert roca("data", "show", "support").out.startswith("name")
    assert roca("data", "remove", "support").out == f"removed support@{shown['version']}\n"
    gone = roca("data", "show", "support")
    assert gone.code == 4
    assert "none is registered" in gone.err


def test_bad_data_is_listed_and_not_kept(roca, tmp_path, data):
    (tmp_path / "bad.jsonl").write_text('{"prompt": "a", "completion": "b"}\n{"prompt": "a"}\nx\n')
    for more in ((), ("--dry-run",)):
        result = roca("data", "import", "bad.jsonl", *more)
        assert result.code == 1
        assert "error: bad.jsonl, line 2, completion: it is missing" in result.err
        assert "2 problems; nothing was kept" in result.err
        assert "1 of 3 records are good" in result.out
    told = roca("data", "import", "bad.jsonl", "--json").json
    assert told["dataset"] is None
    assert [each["line"] for each in told["report"]["problems"]] == [2, 3]
    assert roca("data", "list", "--json").json == []
    assert roca("data", "import", "none.jsonl").code == 4
    assert roca("data", "import", data, "--dry-run").code == 0
    assert roca("data", "list", "--json").json == []
    assert roca("data", "import", data, "--max-length", "10").code == 2
    assert "no name of a data set" in roca("data", "import", data, "--name", "Ä").err


def test_objects_are_read_from_the_store(roca, home):
    stores = open_objects(load_settings(home=home))
    store = stores.of("123456789012")
    store.make_bucket("data", region="us-east-1")
    store.put("data", "in/rows.jsonl", "".join(json.dumps(row) + "\n" for row in ROWS).encode())
    stores.close()
    added = roca("data", "import", "s3://data/in/", "--name", "remote", "--json")
    assert added.json["dataset"]["source"] == "s3://data/in/rows.jsonl"
    assert roca("data", "stats", "s3://data/in/rows.jsonl", "--json").json["records"] == 12


@pytest.mark.usefixtures("_mini")
def test_a_preview_tells_what_is_learned(roca, data):
    result = roca("data", "preview", data, "--base", "roca-mini", "-n", "1")
    assert result.code == 0
    assert "\n<|im_start|>assistant\n«Number 1: la <|im_end|>»" in result.out
    (view,) = roca("data", "preview", data, "--base", "roca-mini", "-n", "1", "--skip", "2", "--json").json
    assert view["record"] == 3
    assert "".join(t["text"] for t in view["tokens"] if t["trained"]) == "Number 3: la la la <|im_end|>"
    assert roca("data", "preview", data, "--base", "fake").code == 1
    assert roca("data", "preview", data, "--base", "nobody").code == 4
    assert roca("data", "preview", "nothing", "--base", "roca-mini").code == 4


@pytest.mark.usefixtures("_mini")
def test_lengths_are_checked_against_a_base(roca, data):
    result = roca("data", "import", data, "--base", "roca-mini", "--max-length", "30", "--dry-run", "--json")
    assert result.code == 1
    assert {each["kind"] for each in result.json["report"]["problems"]} == {"too-long"}


def test_figures(roca, data, tmp_path):
    result = roca("data", "stats", data, "--picture", "rows.svg")
    assert "12 records (12 chat)" in result.out
    assert (tmp_path / "rows.svg").read_text().startswith("<svg")
    assert roca("data", "stats", data, "--json").json["unit"] == "words"


def test_parts(roca, data, tmp_path):
    made = roca("data", "split", data, "--part", "train=0.7", "--part", "test=0.3", "--json").json
    assert sum(each["records"] for each in made) == 12
    assert [each["name"] for each in roca("data", "list", "--json").json] == ["rows-test", "rows-train"]
    roca("data", "split", data, "--part", "a=0.5", "--part", "b=0.5", "--out", "parts", "--as", "openai")
    lines = [line for name in "ab" for line in (tmp_path / "parts" / f"{name}.jsonl").read_text().splitlines()]
    assert len(lines) == 12
    assert all("messages" in json.loads(line) for line in lines)
    assert roca("data", "split", data, "--part", "a").code == 2
    assert "all together 1" in roca("data", "split", data, "--part", "a=0.5").err


def test_filters(roca, data, tmp_path):
    result = roca("data", "filter", data, "--use", "length:part=answer;most=6", "--out", "out.jsonl")
    assert result.code == 0
    assert "longer than 6 words" in result.out
    assert result.out.endswith("4 of 12 stay: out.jsonl\n")
    assert "bedrock-conversation-2024" in (tmp_path / "out.jsonl").read_text()
    kept = roca("data", "filter", data, "--use", "exact", "--json").json
    assert kept["written"].startswith("rows-filtered@")
    assert "none of 12 records stays" in roca("data", "filter", data, "--use", "length:most=1").err
    unknown = roca("data", "filter", data, "--use", "spam")
    assert (unknown.code, "gopher" in unknown.err) == (4, True)
    assert "--base" in roca("data", "filter", data, "--use", "length:unit=tokens").err


def test_export(roca, data, tmp_path):
    roca("data", "import", data, "--name", "support")
    assert roca("data", "export", "support", "new/out.jsonl", "--as", "alpaca").code == 0
    first = json.loads((tmp_path / "new" / "out.jsonl").read_text().splitlines()[0])
    assert first["instruction"] == ROWS[0]["prompt"]
    wrong = roca("data", "export", "support", "x.jsonl", "--as", "text")
    assert "has no place in the format 'text'" in wrong.err
    assert not (tmp_path / "x.jsonl").exists()


def test_tables_become_records(roca, tmp_path):
    (tmp_path / "t.csv").write_text("text,label\na card,card\na pin,pin\n")
    made = roca("data", "build", "--table", "t.csv", "--prompt", "{{ text }}?", "--completion", "{{ label }}", "--json")
    assert made.json["records"] == 2
    assert made.json["written"].startswith("t-built@")
    bad = roca("data", "build", "--table", "t.csv", "--text", "{{ txt }}")
    assert "t.csv, line 2, text: the template fails" in bad.err
    (tmp_path / "sub").mkdir()
    (tmp_path / "t.csv").rename(tmp_path / "sub" / "t.csv")
    (tmp_path / "sub" / "mix.toml").write_text('[[task]]\ntable = "t.csv"\ntext = "{{ text }}"\n')
    assert roca("data", "build", "sub/mix.toml", "--json").json["written"].startswith("mix-built@")


def test_one_way_of_building_is_named(roca, data):
    assert roca("data", "build").code == 2
    assert roca("data", "build", "--table", data, "--self-instruct", data).code == 2
    assert "--model" in roca("data", "build", "--self-instruct", data).err
    assert roca("data", "build", "--self-instruct", data, "--model", "roca-mini").code == 3
