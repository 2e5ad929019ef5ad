from __future__ import annotations

import gzip
import json

import pytest

from rocamadre.core.errors import InvalidRequest, NotFound, Unknown
from rocamadre.datasets import canonical
from rocamadre.datasets.encodings import LONGEST_RECORD
from rocamadre.datasets.sources import BytesSource, PathSource, find_sources
from rocamadre.datasets.tokenizer import open_tokenizer
from rocamadre.datasets.types import Chat, Prompt, Text
from rocamadre.datasets.validation import MOST_LISTED, Report, Rules, load_examples, validate
from rocamadre.testing.tiny import tiny_llama

GOOD = {"prompt": "Hi", "completion": "Hello"}


def lines(*records, encoding="utf-8"):
    return "".join(json.dumps(each, ensure_ascii=False) + "\n" for each in records).encode(encoding)


def check(data, name="data.jsonl", rules=None):
    return validate([BytesSource(name, data)], rules)


def problems(report):
    return [(each.line, each.kind) for each in report.problems]


def test_every_bad_record_is_named_with_line_and_fix():
    data = lines(
        GOOD,
        {**GOOD, "prompt": ""},
        {"prompt": "x"},
        {**GOOD, "completion": 3},
        {**GOOD, "extra": 1},
        {"messages": [{"role": "user", "content": "x"}]},
        [1],
    )
    data += b'{"prompt": "x", "compl\n\n{"prompt": "caf\xe9", "completion": "x"}\n'
    report = check(data)
    assert problems(report) == [
        (2, "empty"),
        (3, "missing"),
        (4, "type"),
        (5, "unknown-field"),
        (6, "mixed"),
        (7, "type"),
        (8, "json"),
        (10, "encoding"),
    ]
    assert (report.records, report.good, report.errors, report.ok) == (9, 1, 8, False)
    assert "windows-1252" in report.problems[-1].message
    assert "data.jsonl, line 2, prompt: it is empty" in report.summary()
    assert "and 3 more" in report.summary()
    assert json.loads(json.dumps(report.as_json()))["problems"][0]["fix"]


def test_listed_are_some_counted_are_all():
    report = check(lines(GOOD) + b"nonsense\n" * 500)
    assert len(report.problems) == MOST_LISTED
    assert report.by_kind == {"json": 500}
    assert "500 problems in 501 records (json 500)" in report.summary()


def test_duplicates_are_warned_of_and_kept():
    report = check(lines(GOOD, GOOD, {**GOOD, "prompt": "Other"}))
    assert report.ok
    assert report.good == 3
    assert problems(report) == [(2, "duplicate")]
    assert report.problems[0].message == "it is the same as line 1"
    twice = validate([BytesSource("a.jsonl", lines(GOOD)), BytesSource("b.jsonl", lines(GOOD))])
    assert twice.problems[0].message == "it is the same as a.jsonl, line 1"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_encodings_are_detected(encoding, end):
    text = end.join(json.dumps(each, ensure_ascii=False) for each in ({**GOOD, "completion": "Olá 🙂 €"}, GOOD))
    report = Report()
    found = list(load_examples([BytesSource("x.jsonl", text.encode(encoding))], report=report))
    assert found[0].turns[-1].text == "Olá 🙂 €"
    assert report.good == 2


def test_other_encodings_are_read_when_they_are_said():
    data = lines({**GOOD, "completion": "Olá €"}, encoding="cp1252")
    assert problems(check(data)) == [(1, "encoding")]
    (found,) = load_examples([BytesSource("x.jsonl", data)], Rules(encoding="cp1252"))
    assert found.turns[-1].text == "Olá €"


def test_torn_utf16_is_a_problem_and_no_crash():
    data = lines(GOOD, GOOD, encoding="utf-16")[:-1]
    report = check(data)
    assert report.by_kind["encoding"] == 1
    assert report.good >= 1


def test_one_record_too_large_does_not_stop_the_others():
    large = b'{"prompt": "' + b"x" * (LONGEST_RECORD + 10) + b'", "completion": "y"}\n'
    report = check(lines(GOOD) + large + lines({**GOOD, "prompt": "Bye"}))
    assert problems(report) == [(2, "record-too-large")]
    assert report.good == 2


def test_kinds_that_are_not_wanted_are_refused():
    rules = Rules(kinds=(Chat,))
    data = lines({"messages": [{"role": "user", "content": "x"}]})
    report = check(data, rules=rules)
    assert problems(report) == [(1, "kind")]
    assert "end it with the assistant's turn" in report.problems[0].fix
    assert check(data, rules=Rules(kinds=(Chat, Prompt))).ok
    assert problems(check(lines(GOOD), rules=Rules(kinds=(Text,)))) == [(1, "kind")]


def test_one_file_holds_one_kind():
    ask, answer = {"role": "user", "content": "x"}, {"role": "assistant", "content": "y"}
    report = check(lines({"messages": [ask, answer]}, {"messages": [ask]}))
    assert problems(report) == [(2, "kind")]


def test_a_system_text_in_some_records_only_is_no_mixture():
    messages = {"messages": [{"role": "user", "content": "x"}, {"role": "assistant", "content": "y"}]}
    with_system = {"system": "Be kind.", **messages}
    assert check(lines(with_system, messages)).ok
    assert check(lines(messages, with_system)).ok


def test_a_chosen_format_is_insisted_on():
    report = check(lines(GOOD), rules=Rules(format="alpaca"))
    assert problems(report) == [(1, "missing")]
    with pytest.raises(Unknown, match="alpaca"):
        check(lines(GOOD), rules=Rules(format="excel"))


def test_unknown_members_are_passed_over_when_told():
    data = lines({**GOOD, "source": "x"})
    assert problems(check(data)) == [(1, "unknown-field")]
    assert check(data, rules=Rules(ignore_unknown=True)).ok


def test_lengths_are_counted_as_they_are_trained(tmp_path):
    tokenizer = open_tokenizer(tiny_llama(tmp_path / "model"))
    report = check(lines(GOOD, {**GOOD, "completion": "word " * 100}), rules=Rules(tokenizer=tokenizer, max_length=60))
    assert problems(report) == [(2, "too-long")]
    assert "at most 60" in report.problems[0].message
    assert 0 < report.longest <= 60
    long = check(lines({"text": "word " * 100}), rules=Rules(tokenizer=tokenizer, max_length=60))
    assert long.ok
    assert long.tokens > 60


def test_a_base_without_a_template_is_told_before_training(tmp_path):
    folder = tiny_llama(tmp_path / "model")
    (folder / "tokenizer_config.json").write_text(json.dumps({"eos_token": "<|im_end|>"}))
    rules = Rules(tokenizer=open_tokenizer(folder), max_length=60)
    assert problems(check(lines(GOOD), rules=rules)) == [(1, "template")]
    assert check(lines({"text": "word"}), rules=rules).ok


@pytest.mark.parametrize(
    ("data", "name", "kind"),
    [
        (b"", "a.jsonl", "empty"),
        (b"\n \n", "a.jsonl", "empty"),
        (b"[]", "a.json", "empty"),
        (b"hello", "a.txt", "json"),
        (b"nothing", "a.parquet", "json"),
        (b"nothing", "a.jsonl.gz", "json"),
        (gzip.compress(lines(GOOD), mtime=0)[:-9], "a.jsonl.gz", "json"),
        (b"prompt,prompt\na,b\n", "a.csv", "table"),
        (b"\n", "a.csv", "table"),
        (b'[{"prompt": "a", "completion": "b"}', "a.json", "json"),
        (b'[{"prompt": "a", "completion": "b"}] x', "a.json", "json"),
        (b'[{"prompt": "a" "completion": "b"}]', "a.json", "json"),
    ],
)  # fmt: skip
def test_files_that_are_wrong_as_a_whole(data, name, kind):
    report = check(data, name)
    assert not report.ok
    assert [each.kind for each in report.problems][-1] == kind
    with pytest.raises(InvalidRequest, match="cannot be used"):
        list(load_examples([BytesSource(name, data)]))


def test_nothing_is_kept_of_bad_data(tmp_path):
    source = BytesSource("x.jsonl", lines(GOOD) + b"nonsense\n")
    with pytest.raises(InvalidRequest, match=r"x\.jsonl, line 2"):
        canonical.write(tmp_path / "rows.jsonl", load_examples([source]))
    assert list(tmp_path.iterdir()) == []


def test_json_arrays_are_read_with_their_lines():
    data = json.dumps([GOOD, {**GOOD, "prompt": "a\nb"}, {**GOOD, "prompt": ""}], indent=1).encode()
    report = check(data, "x.json")
    assert report.good == 2
    assert problems(report) == [(10, "empty")]


def test_objects_over_several_lines_need_no_array():
    data = "\n".join(json.dumps({**GOOD, "prompt": str(n)}, indent=2) for n in range(50)).encode()
    assert check(data, "x.json").good == 50


def test_tables(tmp_path):
    table = b'prompt;completion\r\n"a\n""b""";"c;d"\r\n\r\nx;y;z\r\ne;f\r\n'
    report = check(table, "x.csv")
    assert report.good == 2
    assert problems(report) == [(5, "table")]
    turns = json.dumps([{"role": "user", "content": "x"}, {"role": "assistant", "content": "[{1}]"}])
    quoted = '"' + turns.replace('"', '""') + '"'
    assert check(f"messages\n{quoted}\n".encode(), "x.csv").good == 1
    broken = check(b'prompt,completion\n"a,b\n', "x.csv")
    assert [each.kind for each in broken.problems] == ["table"]


def test_parquet(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    rows = [GOOD, {**GOOD, "prompt": ""}, *({**GOOD, "prompt": str(n)} for n in range(600))]
    pq.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "x.parquet")
    report = validate(find_sources(tmp_path / "x.parquet"))
    assert report.good == 601
    assert problems(report) == [(2, "empty")]
    torn = (tmp_path / "x.parquet").read_bytes()[:-20]
    assert not check(torn, "x.parquet").ok


def test_folders_stand_for_their_data_files(tmp_path):
    (tmp_path / "b.jsonl").write_bytes(lines(GOOD))
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(lines(GOOD)) + gzip.compress(lines(GOOD)))
    (tmp_path / "notes.txt").write_text("x")
    found = find_sources(tmp_path)
    assert [each.name.rsplit("/", 1)[-1] for each in found] == ["a.jsonl.gz", "b.jsonl"]
    assert validate(found).good == 3
    with pytest.raises(NotFound, match="no such file"):
        find_sources(tmp_path / "none.jsonl")
    with pytest.raises(NotFound):
        validate([PathSource(tmp_path / "gone.jsonl")])


def test_objects_are_read_where_they_are(tmp_path):
    from rocamadre.store.objects.files import FileObjects

    stores = FileObjects(tmp_path, sync=False)
    store = stores.of("123456789012")
    store.make_bucket("data", region="us-east-1")
    store.put("data", "train/a.jsonl", lines(GOOD))
    store.put("data", "train/b.csv", b"prompt,completion\na,b\n")
    store.put("data", "train/readme.md", b"x")
    assert validate(find_sources("s3://data/train/", store)).good == 2
    assert validate(find_sources("s3://data/train/a.jsonl", store)).files == ["s3://data/train/a.jsonl"]
    for uri in ("s3://data/none.jsonl", "s3://none/a.jsonl", "s3://data/other/"):
        with pytest.raises(NotFound):
            find_sources(uri, store)
    with pytest.raises(InvalidRequest, match="give a path"):
        find_sources("s3://data/train/")
    stores.close()
