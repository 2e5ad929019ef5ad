"""Which data may train roca-mini, where it lies, and what is held out of it.

Everything is read from the development data folder (see its MANIFEST.md); nothing of it enters the repository.
"""

import gzip
import hashlib
import json
import re
import zlib
from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

DEFAULT_DATA = Path(__file__).resolve().parents[3].parent / "shared" / "data"
GRAM = 13
"""Words in a run that, when shared with a test passage, throws a training text out."""
MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
SAMPLED = 16


@dataclass(frozen=True)
class Source:
    """One file of the data folder with the licence under which its text may train a shipped weight."""

    path: str
    language: str
    licence: str
    credit: str
    weight: float = 0.0
    """How often a token of it is read in pre-training, beside the other sources of its language; 0 = never."""
    best: bool = False
    """Good, modern prose: the last part of pre-training reads nothing else."""
    since: int = 1
    """First edition of the model that was trained on it."""

    @property
    def name(self) -> str:
        """The shard's name: the path without its ending, in one word."""
        return self.path.split(".")[0].replace("/", "_")


WIKIPEDIA = "Wikipedia contributors (English Wikipedia of 2019)"
TATOEBA = "Tatoeba contributors, through OPUS-MT test sets and hoang"
OPENDOCS = "CC-BY-4.0, CC-BY-SA-4.0, MIT, Apache-2.0, BSD-3-Clause, CC0-1.0"
SQUAD_SHARE = "MIT (derived from SQuAD, CC-BY-SA-4.0)"

SOURCES = (
    Source("text-en/wikipedia-00.jsonl.gz", "en", "CC-BY-SA-3.0", WIKIPEDIA, 1, best=True),
    Source("text-en/wikipedia-01.jsonl.gz", "en", "CC-BY-SA-3.0", WIKIPEDIA, 1, best=True),
    Source("text-en/wikipedia-02.jsonl.gz", "en", "CC-BY-SA-3.0", WIKIPEDIA, 1, best=True),
    Source("text-en/wikipedia-03.jsonl.gz", "en", "CC-BY-SA-3.0", WIKIPEDIA, 1, best=True),
    Source("text-en/openstax.jsonl.gz", "en", "CC-BY-4.0", "OpenStax, Rice University", 1.5, best=True),
    Source("text-en/stories.jsonl", "en", "CC-BY-4.0", "African Storybook and Pratham Books", 3, best=True),
    Source(
        "text-es/courses.jsonl", "es", "MIT, CC0-1.0, CC-BY-SA-4.0", "Microsoft courses; OWASP Top 10", 2, best=True
    ),
    Source("text-es/mdn.jsonl.gz", "es", "CC-BY-SA-2.5", "Mozilla contributors", 1),
    Source("text-es/msdocs.jsonl.gz", "es", "CC-BY-4.0", "Microsoft (Visual Studio documentation)", 0.7),
    Source("text-es/novels.jsonl.gz", "es", "CC-BY-4.0", "ELTeC-spa, COST Action CA16204 (texts public domain)", 0.8),
    Source(
        "text-es/opendocs.jsonl.gz",
        "es",
        OPENDOCS,
        "open-source documentation projects (their LICENSE.txt)",
        2,
        best=True,
    ),
    Source("text-es/openstax.jsonl.gz", "es", "CC-BY-4.0", "OpenStax, Rice University", 2, best=True),
    Source(
        "text-es/pydocs.jsonl.gz", "es", "PSF-2.0, CC0-1.0", "Python documentation and its Spanish translators", 0.7
    ),
    Source(
        "text-es/treebanks.jsonl", "es", "CC-BY-SA-4.0, CC-BY-4.0", "Universal Dependencies, Spanish GSD", 4, best=True
    ),
    Source(
        "text-pt/courses.jsonl", "pt", "MIT, CC0-1.0, CC-BY-SA-4.0", "Microsoft courses; OWASP Top 10", 2, best=True
    ),
    Source("text-pt/machado.jsonl.gz", "pt", "public domain", "Machado de Assis", 0.8),
    Source("text-pt/mdn.jsonl.gz", "pt", "CC-BY-SA-2.5", "Mozilla contributors", 1),
    Source("text-pt/msdocs.jsonl.gz", "pt", "CC-BY-4.0", "Microsoft (Visual Studio documentation)", 0.7),
    Source("text-pt/novels.jsonl.gz", "pt", "CC-BY-4.0", "ELTeC-por, COST Action CA16204 (texts public domain)", 0.6),
    Source(
        "text-pt/opendocs.jsonl.gz",
        "pt",
        OPENDOCS,
        "open-source documentation projects (their LICENSE.txt)",
        2,
        best=True,
    ),
    Source("text-pt/pydocs.jsonl.gz", "pt", "PSF-2.0, CC0-1.0", "Python documentation and its translators", 0.7),
    Source("text-pt/stories.jsonl", "pt", "CC-BY-4.0", "African Storybook and Pratham Books", 3, best=True),
    Source(
        "text-pt/treebanks.jsonl.gz",
        "pt",
        "CC-BY-SA-4.0, CC-BY-4.0",
        "Universal Dependencies, Portuguese",
        2,
        best=True,
    ),
    Source("text-pt/wikipedia-passages.jsonl.gz", "pt", "CC-BY-SA-4.0", "Wikipedia contributors", 2, best=True),
    Source("parallel-en-es/tatoeba.jsonl.gz", "en-es", "CC-BY-2.0", TATOEBA, 1, best=True),
    Source("parallel-en-es/opendocs.jsonl.gz", "en-es", OPENDOCS, "open-source documentation projects", 1, best=True),
    Source("parallel-en-es/gnome-help.jsonl", "en-es", "CC-BY-3.0", "GNOME Documentation Project", 1, since=2),
    Source(
        "parallel-en-es/pydocs.jsonl.gz",
        "en-es",
        "PSF-2.0, CC0-1.0",
        "Python documentation and translators",
        0.5,
        since=2,
    ),
    Source("parallel-en-es/django.jsonl", "en-es", "BSD-3-Clause", "Django Software Foundation", 0.5, since=2),
    Source("parallel-en-pt/opendocs.jsonl.gz", "en-pt", OPENDOCS, "open-source documentation projects", 2, best=True),
    Source("parallel-en-pt/gnome-help.jsonl", "en-pt", "CC-BY-3.0", "GNOME Documentation Project", 2, best=True),
    Source("parallel-en-pt/pydocs.jsonl.gz", "en-pt", "PSF-2.0, CC0-1.0", "Python documentation and translators", 0.7),
    Source("parallel-en-pt/django.jsonl.gz", "en-pt", "BSD-3-Clause", "Django Software Foundation", 0.5),
    Source("qamr/qamr.jsonl.gz", "en", "MIT", "QAMR, University of Washington"),
    Source("squad-en/squad2-dev.jsonl.gz", "en", "CC-BY-SA-4.0", "SQuAD 2.0, Rajpurkar, Jia & Liang"),
    Source("squad-es/squad2-es-dev.jsonl.gz", "es", SQUAD_SHARE, "SQuAD-es, Carrino, Costa-jussà & Fonollosa"),
    Source("squad-pt/squad1-pt-sample.jsonl.gz", "pt", SQUAD_SHARE, "squad-v1.1-pt, N. Ramos Carvalho"),
    Source("faquad/faquad-train.jsonl", "pt", "CC-BY-4.0", "FaQuAD, Sayama, Araujo & Fernandes"),
    Source("xquad/xquad.en.jsonl", "en", "CC-BY-SA-4.0", "XQuAD, Artetxe, Ruder & Yogatama"),
    Source("xquad/xquad.es.jsonl", "es", "CC-BY-SA-4.0", "XQuAD, Artetxe, Ruder & Yogatama"),
    Source("dolly/dolly.jsonl.gz", "en", "CC-BY-SA-3.0", "databricks-dolly-15k, Databricks"),
    Source("self-instruct/seeds.jsonl", "en", "Apache-2.0", "self-instruct, Wang et al."),
    Source("banking77/banking77.jsonl.gz", "en", "CC-BY-4.0", "BANKING77, PolyAI"),
    Source("clinc150/clinc150.jsonl.gz", "en", "CC-BY-3.0", "CLINC150, Larson et al."),
    Source("tool-dialogues/sgd-train.jsonl.gz", "en", "CC-BY-SA-4.0", "Schema-Guided Dialogue, Google"),
    Source("tool-dialogues/sgd-train-tools.jsonl", "en", "CC-BY-SA-4.0", "Schema-Guided Dialogue, Google"),
)
"""Every file that the recipe may train on. Nothing NC, GPL, unstated or for measuring only is here."""

TEST_PASSAGES = (
    "squad-en/squad1-dev.jsonl.gz",
    "squad-en/squad2-dev.jsonl.gz",
    "squad-es/squad1-es-dev.jsonl.gz",
    "squad-es/squad2-es-dev.jsonl.gz",
    "squad-pt/squad1-pt-sample.jsonl.gz",
    "faquad/faquad-train.jsonl",
    "xquad/xquad.en.jsonl",
    "xquad/xquad.es.jsonl",
)
TEST_SENTENCES = (
    "parallel-en-es/tatoeba-test.jsonl.gz",
    "parallel-en-pt/tatoeba-test.jsonl.gz",
    "ntrex/ntrex-en-es.jsonl",
    "ntrex/ntrex-en-pt.jsonl",
)


class DataMissing(Exception):
    """The data folder, or a file of it, is not there."""


def find_data(folder: Path) -> Path:
    """Return `folder` when it holds the development data.

    Raises:
        DataMissing: it does not.
    """
    if not (folder / "MANIFEST.md").is_file():
        raise DataMissing(
            f"no training data at {folder} (MANIFEST.md is not there). "
            "Name the folder with --data or ROCA_DATA; --smoke runs on text made up on the spot and needs none."
        )
    return folder


def read_rows(path: Path) -> Iterator[dict]:
    """Rows of a JSON-lines file, plain or gzip.

    Raises:
        DataMissing: no such file.
    """
    if not path.is_file():
        raise DataMissing(f"the data folder has no {path.parent.name}/{path.name}")
    opened = gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8")
    with opened as lines:
        for line in lines:
            yield json.loads(line)


def source(path: str) -> Source:
    """The registered source of that path: the only way the recipe reaches a training file."""
    return next(entry for entry in SOURCES if entry.path == path)


def training_rows(data: Path, path: str) -> Iterator[dict]:
    """Rows of a registered training file."""
    yield from read_rows(data / source(path).path)


def bucket(key: str, parts: int) -> int:
    """A stable number in [0, parts) for a title or an id."""
    return int(hashlib.sha256(key.encode()).hexdigest(), 16) % parts


def is_test_article(title: str) -> bool:
    """Whether an article of the SQuAD family is kept for measuring (one in five, the same in every language)."""
    return bucket(title, 5) == 0


def is_held_out(row: dict) -> bool:
    """Whether a text is kept for measuring perplexity (one in fifty, by id)."""
    return bucket(f"perplexity {row['id']}", 50) == 0


def grams(text: str) -> np.ndarray:
    """Hashes of the runs of `GRAM` words, lower case, without punctuation; uint64, the same on every machine."""
    words = np.array([zlib.crc32(word.encode()) for word in re.findall(r"\w+", text.lower())], dtype=np.uint64)
    count = len(words) - GRAM + 1
    if count <= 0:
        return np.zeros(0, dtype=np.uint64)
    total = np.zeros(count, dtype=np.uint64)
    for place in range(GRAM):
        total = total * MULTIPLIER + words[place : place + count]
    return total ^ (total >> np.uint64(29))


def test_grams(data: Path) -> np.ndarray:
    """Word runs of every test passage of the SQuAD family, in all languages; sorted."""
    contexts = {
        row["context"] for path in TEST_PASSAGES for row in read_rows(data / path) if is_test_article(row["title"])
    }
    return np.unique(np.concatenate([grams(context) for context in sorted(contexts)]))


def holds(table: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Which of `values` are in the sorted `table`."""
    if not len(table) or not len(values):
        return np.zeros(len(values), dtype=bool)
    places = np.searchsorted(table, values)
    places[places == len(table)] = 0
    return table[places] == values


def overlaps(text: str, forbidden: np.ndarray) -> bool:
    """Whether the text shares a run of words with a test passage (`forbidden` sorted)."""
    return bool(holds(forbidden, grams(text)).any())


class Seen:
    """Word runs of the texts kept so far: a text of which half is known already is a near-copy.

    One run in `SAMPLED` is remembered, which finds copies of some hundred words and more and costs 12 MB for all texts.
    """

    def __init__(self) -> None:
        self.known: set[int] = set()

    def is_copy(self, found: np.ndarray) -> bool:
        """Whether most of the text's word runs are known; if not, they are from now on."""
        sampled = found[found % np.uint64(SAMPLED) == 0].tolist()
        if len(sampled) >= 4 and sum(gram in self.known for gram in sampled) * 2 > len(sampled):
            return True
        self.known.update(sampled)
        return False


def documents(data: Path, entry: Source, forbidden: np.ndarray, seen: Seen) -> list[str]:
    """The pre-training texts of one source without held-out ones, copies, and those that overlap with tests."""
    rows = training_rows(data, entry.path)
    if "-" in entry.language:
        return paired(rows, *entry.language.split("-"), forbidden=test_sentences(data))
    kept = (row for row in rows if not is_held_out(row))
    texts = []
    for row in kept:
        text = f"{row['title']}\n\n{row['text']}" if row.get("title") else row["text"]
        found = grams(text)
        if not holds(forbidden, found).any() and not seen.is_copy(found):
            texts.append(text)
    return texts


def plain(sentence: str) -> str:
    """A sentence as compared with test sentences: lower case, words alone."""
    return " ".join(re.findall(r"\w+", sentence.lower()))


@cache
def test_sentences(data: Path) -> frozenset[str]:
    """Every sentence of the translation test sets."""
    return frozenset(
        plain(row[language])
        for path in TEST_SENTENCES
        for row in read_rows(data / path)
        for language in ("en", "es", "pt")
        if language in row and len(row[language]) > 12
    )


def paired(
    rows: Iterable[dict], first: str, second: str, *, together: int = 8, forbidden: Set[str] = frozenset()
) -> list[str]:
    """Sentence pairs as short texts: a line in one language, the next in the other, order by turns.

    Pairs seen before, too long ones and those of which a side is in `forbidden` are left out.
    """
    texts, lines, seen = [], [], set()
    for number, row in enumerate(rows):
        if max(len(row[first]), len(row[second])) > 300 or min(len(row[first]), len(row[second])) < 3:
            continue
        sides = (plain(row[first]), plain(row[second]))
        if sides in seen or not forbidden.isdisjoint(sides):
            continue
        seen.add(sides)
        order = (first, second) if (number // together) % 2 else (second, first)
        lines.append(f"{row[order[0]]}\n{row[order[1]]}")
        if len(lines) == together:
            texts.append("\n\n".join(lines))
            lines = []
    return [*texts, "\n\n".join(lines)] if lines else texts
