"""How well questions are answered from a knowledge base, and refused where it does not hold the answer.

`python -m benchmarks.answers --data DIR [--questions 150] [--languages en,es,pt] [--sql] [--given]`

DIR holds `squad-en`, `squad-es`, `squad-pt`, `faquad` (rows with title, context, question, answers), `sql-geography`
and `spider`. Only test articles are used: `int(sha256(title), 16) % 5 == 0`. Every fourth of them is kept out of the
knowledge base; questions about those have no answer there ("absent"). Questions that SQuAD 2 wrote to be unanswerable
about an article that is there are "adversarial": they ask for something the paragraph seems to say. Each paragraph is
one chunk, put straight into the store with the vectors of the default embedder; from there on everything goes through
RetrieveAndGenerate, with the default reader in two forms and, beside it, the reader `words`. Words are compared as
SQuAD does, with each language's articles left out. `given_passage` leaves the search out: the reader is given the right
paragraph, and its best span counts, whether or not it would have answered.

DIR may be left out where `ROCA_DATA` names it. `--given` measures that part alone.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import math
import os
import random
import re
import sqlite3
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.harness import ROOT, report
from rocamadre.catalog.embedded import MINILM_FOLDER
from rocamadre.core.context import Context, Principal
from rocamadre.core.errors import InvalidRequest
from rocamadre.core.settings import load_settings
from rocamadre.knowledge.answers.extractive import look, weights_of
from rocamadre.knowledge.answers.extractor.reader import TrainedReader, make_reader
from rocamadre.knowledge.answers.lexicon import NOT_FOUND, NOTHING
from rocamadre.knowledge.answers.questions import read_question
from rocamadre.knowledge.answers.types import Passage
from rocamadre.knowledge.chunkers.sentences import LONGEST_SENTENCE, sentences
from rocamadre.knowledge.embedding import check_embedder, embed_here
from rocamadre.knowledge.languages import analyse
from rocamadre.knowledge.operations import get_knowledge_base
from rocamadre.knowledge.sql.by_rule import RuleTranslator
from rocamadre.knowledge.sql.sqlite import SqliteDatabase
from rocamadre.knowledge.sql.types import Column, Limits, Link, Schema, Table
from rocamadre.knowledge.stores import open_store
from rocamadre.store.vectors.protocol import Chunk, Replacement
from rocamadre.testing.inprocess import ADDRESS, InProcessServer

FILES = {
    "en": ("squad-en/squad2-dev.jsonl.gz", "squad-en/squad1-dev.jsonl.gz"),
    "es": ("squad-es/squad2-es-dev.jsonl.gz", "squad-es/squad1-es-dev.jsonl.gz"),
    "pt": ("squad-pt/squad1-pt-sample.jsonl.gz", "faquad/faquad-train.jsonl"),
}
ARTICLES = {
    "en": r"\b(?:a|an|the)\b",
    "es": r"\b(?:un|una|unos|unas|el|la|los|las)\b",
    "pt": r"\b(?:um|uma|uns|umas|o|a|os|as)\b",
}
SORRY = {*NOT_FOUND.values(), NOTHING}
ACCOUNT, REGION = "123456789012", "us-east-1"
Row = dict[str, Any]


def rows(data: Path, language: str) -> list[Row]:
    """Questions about test articles, each once."""
    found: dict[str, Row] = {}
    for name in FILES[language]:
        path = data / name
        opened = gzip.open(path, "rt") if path.suffix == ".gz" else path.open()
        with opened as lines:
            for line in lines:
                row = json.loads(line)
                if int(hashlib.sha256(row["title"].encode()).hexdigest(), 16) % 5 == 0:
                    found.setdefault(row["id"], row)
    return list(found.values())


def words(text: str, language: str) -> list[str]:
    """A text as it is compared."""
    plain = re.sub(r"[^\w\s]", " ", text.lower())
    return re.sub(ARTICLES[language], " ", plain).split()


def token_f1(answer: str, golds: Sequence[str], language: str) -> float:
    """The best F1 of shared words with one of the accepted answers."""
    best = 0.0
    mine = words(answer, language)
    for gold in golds:
        theirs = words(gold, language)
        shared = sum((Counter(mine) & Counter(theirs)).values())
        if shared:
            best = max(best, 2 * shared / (len(mine) + len(theirs)))
    return best


def interval(values: Sequence[float], *, seed: int = 7, rounds: int = 1000) -> list[float]:
    """A mean and its 95 % bootstrap interval."""
    if not values:
        return []
    array = np.asarray(values, float)
    chance = np.random.default_rng(seed)
    means = array[chance.integers(0, len(array), (rounds, len(array)))].mean(axis=1)
    return [round(float(x), 3) for x in (array.mean(), *np.quantile(means, (0.025, 0.975)))]


def share(hits: int, total: int) -> list[float]:
    """A proportion and its 95 % Wilson interval."""
    if not total:
        return []
    z, p = 1.96, hits / total
    middle = (p + z * z / (2 * total)) / (1 + z * z / total)
    half = z * math.sqrt(p * (1 - p) / total + z * z / (4 * total * total)) / (1 + z * z / total)
    return [round(p, 3), round(middle - half, 3), round(middle + half, 3)]


class Bench:
    """A server in this process with the default embedder, and one knowledge base per language."""

    def __init__(self, home: Path, form: str, reader: str = "extractive") -> None:
        import boto3
        from botocore.config import Config

        self.server = InProcessServer(
            load_settings(home=home, answers={"by": "reader", "form": form, "reader": reader}, engines={"threads": 1}),
            timeout_s=600,
        )
        session = boto3.Session(aws_access_key_id="AKIABENCHMARK", aws_secret_access_key="benchmark")
        self.clients = {
            name: self.server.attach(
                session.client(
                    name,
                    region_name=REGION,
                    endpoint_url=f"{ADDRESS}/{name}",
                    config=Config(retries={"total_max_attempts": 1}),
                )
            )
            for name in ("bedrock-agent", "bedrock-agent-runtime")
        }

    def fill(self, language: str, paragraphs: Sequence[str]) -> str:
        """Make a knowledge base of paragraphs; returns its id."""
        embedder = f"arn:aws:bedrock:{REGION}::foundation-model/amazon.titan-embed-text-v2:0"
        configuration = {
            "type": "VECTOR",
            "vectorKnowledgeBaseConfiguration": {"embeddingModelArn": embedder},
        }
        made = self.clients["bedrock-agent"].create_knowledge_base(
            name=f"answers-{language}",
            roleArn=f"arn:aws:iam::{ACCOUNT}:role/knowledge",
            knowledgeBaseConfiguration=configuration,
        )["knowledgeBase"]["knowledgeBaseId"]
        platform = self.server.platform
        ctx = Context(platform, Principal("benchmark", ACCOUNT), ACCOUNT, REGION, "r", 1e9)
        base = get_knowledge_base(ctx, made)
        model = check_embedder(platform, base)
        items = []
        for first in range(0, len(paragraphs), 32):
            part = paragraphs[first : first + 32]
            vectors = self.server.submit(embed_here(ctx, base, model, part)).result(600)
            for place, text in enumerate(part):
                uri = f"s3://benchmark/{language}/{first + place}.txt"
                chunk = Chunk(
                    id=f"{language}-{first + place}",
                    document=uri,
                    text=text,
                    start=0,
                    end=len(text),
                    language=language,
                    terms=" ".join(analyse(text, language)),
                    metadata={"x-amz-bedrock-kb-source-uri": uri},
                    embedding=vectors[place],
                )
                items.append(Replacement(uri, "BENCHMARK0", "hash", [chunk], text))
        store = open_store(platform, base)
        try:
            store.replace_many(items)
        finally:
            store.close()
        return str(made)

    def ask(self, base: str, question: str) -> tuple[str, list[Row]]:
        """The answer's text and its citations."""
        answer = self.clients["bedrock-agent-runtime"].retrieve_and_generate(
            input={"text": question[:1000]},
            retrieveAndGenerateConfiguration={
                "type": "KNOWLEDGE_BASE",
                "knowledgeBaseConfiguration": {"knowledgeBaseId": base, "modelArn": "rocamadre.roca-mini-v1:0"},
            },
        )
        return answer["output"]["text"], answer["citations"]


def chosen(found: Sequence[Row], most: int) -> tuple[list[str], dict[str, list[Row]]]:
    """The knowledge base's paragraphs, and the questions: answerable, adversarial, absent."""
    titles = sorted({row["title"] for row in found}, key=lambda title: hashlib.sha256(title.encode()).hexdigest())
    away = set(titles[::4])
    chance = random.Random(17)
    groups: dict[str, list[Row]] = {"answerable": [], "adversarial": [], "absent": []}
    for row in found:
        name = "absent" if row["title"] in away else "answerable" if row["answers"] else "adversarial"
        groups[name].append(row)
    for each in groups.values():
        chance.shuffle(each)
    paragraphs = list(dict.fromkeys(row["context"] for row in found if row["title"] not in away))
    return paragraphs, {name: each[:most] for name, each in groups.items()}


def faithful(text: str, citations: Sequence[Row], paragraphs: set[str]) -> bool:
    """Whether every sentence of an answer stands word for word in what it cites, and spans fit."""
    for citation in citations:
        part = citation["generatedResponsePart"]["textResponsePart"]
        start, end = part["span"]["start"], part["span"]["end"]
        sources = [reference["content"]["text"] for reference in citation["retrievedReferences"]]
        if text[start : end + 1] != part["text"] or not all(source in paragraphs for source in sources):
            return False
        # Sentences that need not stand beside each other share a citation.
        said = [part["text"][start:end] for start, end in sentences(part["text"], longest=LONGEST_SENTENCE)]
        whole = any(part["text"] in source for source in sources)
        if text not in SORRY and not whole and not all(any(each in source for source in sources) for each in said):
            return False
    return True


def measure(bench: Bench, data: Path, language: str, most: int) -> Row:
    """All figures of one language."""
    paragraphs, groups = chosen(rows(data, language), most)
    base = bench.fill(language, paragraphs)
    known = set(paragraphs)
    f1s, answered, holds, times = [], [], [], []
    refused = Counter[str]()
    exact = True
    for name, questions in groups.items():
        for row in questions:
            started = time.perf_counter()
            text, citations = bench.ask(base, row["question"])
            times.append(time.perf_counter() - started)
            exact = exact and faithful(text, citations, known)
            refused[name] += text in SORRY
            if name == "answerable":
                golds = [gold["text"] for gold in row["answers"]]
                said = text not in SORRY
                f1s.append(token_f1(text, golds, language) if said else 0.0)
                answered.append(said)
                holds.append(float(said and any(gold.lower() in text.lower() for gold in golds)))
    counts = {name: len(each) for name, each in groups.items()}
    unanswerable = counts["adversarial"] + counts["absent"]
    right = refused["adversarial"] + refused["absent"]
    return {
        "paragraphs": len(paragraphs),
        "questions": counts,
        "token_f1": interval(f1s),
        "token_f1_where_answered": interval([f1 for f1, said in zip(f1s, answered, strict=True) if said]),
        "answer_holds_gold": interval(holds),
        "answered": share(sum(answered), counts["answerable"]),
        "refusal_precision": share(right, right + refused["answerable"]),
        "refusal_recall": share(right, unanswerable),
        "refusal_recall_absent": share(refused["absent"], counts["absent"]),
        "refusal_recall_adversarial": share(refused["adversarial"], counts["adversarial"]),
        "citations_exact": exact,
        "milliseconds": {
            "median": round(float(np.median(times)) * 1000),
            "p95": round(float(np.quantile(times, 0.95)) * 1000),
        },
    }


def measure_given(data: Path, language: str, most: int) -> dict[str, Row]:
    """The best span of each reader in the right paragraph, and how well a doubtful paragraph is told apart."""
    found = rows(data, language)
    random.Random(19).shuffle(found)
    good = [row for row in found if row["answers"]][:most]
    bad = [row for row in found if not row["answers"]][:most]
    trained = make_reader(None, "span")
    readers: dict[str, Callable[[Row], tuple[str, float] | None]] = {"words": _by_words(language)}
    if isinstance(trained, TrainedReader):
        readers["extractive"] = _by_network(trained, language)
    made: dict[str, Row] = {}
    for name, read in readers.items():
        started = time.process_time()
        said = [read(row) for row in good]
        spent = time.process_time() - started
        doubts = [read(row) for row in bad]
        f1s = [
            token_f1(each[0], [gold["text"] for gold in row["answers"]], language) if each else 0.0
            for row, each in zip(good, said, strict=True)
        ]
        sure = [each[1] if each else 0.0 for each in said]
        made[name] = {
            "questions": [len(good), len(bad)],
            "token_f1": interval(f1s),
            "exact": interval([float(f1 > 0.999) for f1 in f1s]),
            "unanswerable_told_apart": _auroc(sure, [each[1] if each else 0.0 for each in doubts]),
            "milliseconds_per_passage": round(1000 * spent / len(good), 1),
        }
    return made


def _by_words(language: str) -> Callable[[Row], tuple[str, float] | None]:
    learned = weights_of(language, compares=False)

    def read(row: Row) -> tuple[str, float] | None:
        passage = Passage(row["context"], language, 1.0)
        found = look(read_question(row["question"], language), [passage], learned, None)
        if found is None:
            return None
        sure = float(1 / (1 + np.exp(-found.holding @ learned.holds)))
        return passage.text[found.span.start : found.span.end], sure

    return read


def _by_network(reader: TrainedReader, language: str) -> Callable[[Row], tuple[str, float] | None]:
    def read(row: Row) -> tuple[str, float] | None:
        found = reader.look(row["question"], [Passage(row["context"], language, 1.0)])
        if found is None:
            return None
        return row["context"][found.spans[0].start : found.spans[0].end], reader.confidence(found)

    return read


def _auroc(good: Sequence[float], bad: Sequence[float]) -> float | None:
    """The chance that an answerable question looks surer than one that is not."""
    if not good or not bad:
        return None
    above = np.subtract.outer(np.asarray(good), np.asarray(bad))
    return round(float((above > 0).mean() + 0.5 * (above == 0).mean()), 3)


def measure_geography(data: Path) -> Row:
    """Questions of the test split, by the rows that their queries bring."""
    database = SqliteDatabase(data / "sql-geography/geography.sqlite")
    schema, translator = database.schema(), RuleTranslator()
    counts = Counter[str]()
    for line in (data / "sql-geography/geography.jsonl").open():
        row = json.loads(line)
        if row["split"] != "test":
            continue
        try:
            gold = database.run(row["sql"].removesuffix(" ;"), Limits(500, 5.0)).rows
        except InvalidRequest:
            counts["unusable"] += 1
            continue
        found = translator.translate(row["question"], schema, database)
        if not found.sql:
            counts["refused"] += 1
            continue
        try:
            got = database.run(found.sql, Limits(500, 5.0)).rows
        except InvalidRequest:
            counts["wrong"] += 1
            continue
        counts["right" if {*map(str, got)} == {*map(str, gold)} else "wrong"] += 1
    return _shares(counts)


def measure_spider(data: Path) -> Row:
    """Questions about the databases whose name's hash is divisible by five, by the query's own words; no contents."""
    schemas = {json.loads(line)["db"]: json.loads(line) for line in (data / "spider/schemas.jsonl").open()}
    counts = Counter[str]()
    for line in (data / "spider/spider-dev.jsonl").open():
        row = json.loads(line)
        if int(hashlib.sha256(row["db"].encode()).hexdigest(), 16) % 5:
            continue
        found = RuleTranslator().translate(row["question"], _schema(schemas[row["db"]]), _Empty())
        same = _plain_sql(found.sql) == _plain_sql(row["sql"])
        counts["refused" if not found.sql else "right" if same else "wrong"] += 1
    return _shares(counts)


def _shares(counts: Counter[str]) -> Row:
    total = counts["right"] + counts["refused"] + counts["wrong"]
    answered = counts["right"] + counts["wrong"]
    return {
        "questions": total,
        "accuracy": share(counts["right"], total),
        "right_where_answered": share(counts["right"], answered),
        "refused": share(counts["refused"], total),
    }


class _Empty:
    dialect = "sqlite"

    def holding(self, table: Table, column: Column, values: Sequence[str]) -> list[str]:
        return []


def _schema(raw: Row) -> Schema:
    keys: dict[str, list[str]] = {}
    for name in raw["primary"]:
        table, column = name.split(".", 1)
        keys.setdefault(table, []).append(column)
    tables = tuple(
        Table(
            name,
            tuple(
                Column(column, kind, kind if kind in ("text", "number", "time") else "other")
                for column, kind in columns
            ),
            keys=tuple(keys.get(name, ())),
        )
        for name, columns in raw["tables"].items()
    )
    links = tuple(Link(*one.split(".", 1), *other.split(".", 1)) for one, other in raw["foreign"])
    return Schema("sqlite", tables, links)


def _plain_sql(sql: str) -> str:
    """A query without what makes no difference: case, quotes, aliases, qualifiers, the conditions of joins."""
    text = re.sub(r"\s+as\s+t\d+", "", sql.strip().rstrip(";").lower()).replace('"', "'")
    text = re.sub(r"'(\w+)'", r"\1", text)
    text = re.sub(r"\b\w+\.(?=\w)", "", re.sub(r"\s*([,=<>()!]+)\s*", r"\1", text))
    text = re.sub(r" on \w+=\w+|\basc\b", "", text).replace("!=", "<>")
    return " ".join(text.split())


def languages_of(text: str) -> Iterator[str]:
    """Languages asked for."""
    for name in text.split(","):
        if name not in FILES:
            raise SystemExit(f"no language {name!r}; there are: {', '.join(FILES)}")
        yield name


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument(
        "--data", type=Path, default=Path(os.environ.get("ROCA_DATA", "")) if os.environ.get("ROCA_DATA") else None
    )
    parser.add_argument("--questions", type=int, default=150, help="of each group")
    parser.add_argument("--languages", default="en,es,pt")
    parser.add_argument("--forms", default="auto,span", help="of the default reader; `words` is the other reader")
    parser.add_argument("--sql", action="store_true", help="only text to SQL")
    parser.add_argument("--given", action="store_true", help="only with the right paragraph given")
    options = parser.parse_args()
    if not options.data:
        raise SystemExit("name the folder of the data sets: --data DIR, or ROCA_DATA")
    languages = list(languages_of(options.languages))
    given = {language: measure_given(options.data, language, 3 * options.questions) for language in languages}
    if options.given:
        print(json.dumps(given, indent=1))
        return
    figures: Row = {"sqlite": sqlite3.sqlite_version, "given_passage": given}
    figures["sql"] = {
        "geography test, by rows": measure_geography(options.data),
        "spider, a fifth of the databases, by words": measure_spider(options.data),
    }
    for form in () if options.sql else [*options.forms.split(","), "words"]:
        figures[form] = measured(options.data, form, languages, options.questions)
    report("answers", figures)


def measured(data: Path, form: str, languages: Sequence[str], most: int) -> Row:
    """All languages through a server of its own."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        (home / "models").mkdir(mode=0o700)
        (home / "models" / MINILM_FOLDER).symlink_to(ROOT / ".roca" / "models" / MINILM_FOLDER)
        bench = Bench(home, "auto", "words") if form == "words" else Bench(home, form)
        try:
            return {language: measure(bench, data, language, most) for language in languages}
        finally:
            bench.server.close()


if __name__ == "__main__":
    main()
