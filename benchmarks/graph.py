"""Questions that need two passages, with and without the search stage that follows names.

`python -m benchmarks.graph [--home DIR] [--pairs N] [--print]`

Passages are made up in English, Spanish and Portuguese: people and whom they work for, firms and where they are. A
question names a person and asks of the firm; the second passage shares with it only words that every firm's has. Recall
of both passages among the first five, and of each. Beside it what the stage does to questions that need one passage
alone: those of the judged sets (`ROCA_DATA`), where names lead astray at best.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.harness import ROOT, report
from benchmarks.ingestion import SETS, _rows
from rocamadre.core.settings import Settings
from rocamadre.knowledge.graph.relations import described
from rocamadre.knowledge.languages import analyse, detect
from rocamadre.knowledge.search import Query, SearchSettings, search
from rocamadre.store.vectors.protocol import Chunk, Replacement, StoreFacts, VectorStore
from rocamadre.store.vectors.registry import VECTOR_STORES

LIMIT = 5
MINILM = "rocamadre.minilm-l6-v2:0"


class Pair(NamedTuple):
    """A question, and the two passages that answer it together."""

    language: str
    question: str
    first: str
    second: str


TEXTS = {
    "en": (
        "{person} studied engineering and now works as a {job} for {firm}. All like {person} for great patience.",
        "The head office of {firm} is in the city of {city}. Some {count} people make {thing} there.",
        "In which city is the head office of the company that {person} works for?",
        ("welder", "chemist", "designer", "pilot", "editor"),
        ("lanterns", "ropes", "bells", "clocks", "sails"),
    ),
    "es": (
        "{person} estudió ingeniería y hoy trabaja de {job} para {firm}. En el equipo alaban la paciencia de {person}.",
        "La sede central de {firm} está en la ciudad de {city}. Unas {count} personas fabrican allí {thing}.",
        "¿En qué ciudad está la sede central de la empresa para la que trabaja {person}?",
        ("soldador", "químico", "diseñador", "piloto", "editor"),
        ("faroles", "cuerdas", "campanas", "relojes", "velas"),
    ),
    "pt": (
        "{person} estudou engenharia e hoje trabalha como {job} para a {firm}. Todos elogiam a paciência de {person}.",
        "A sede da {firm} fica na cidade de {city}. Cerca de {count} pessoas fabricam ali {thing}.",
        "Em que cidade fica a sede da empresa para a qual {person} trabalha?",
        ("soldador", "químico", "desenhador", "piloto", "editor"),
        ("lanternas", "cordas", "sinos", "relógios", "velas"),
    ),
}
PARTS = "ba be bi bo ca ce co da de di do fa fe fi ga go la le li lo ma me mi mo na ne no pa pe po ra re ri ro".split()


def main() -> int:
    """Run and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, default=ROOT / ".roca", help="state folder with the prepared MiniLM")
    parser.add_argument("--pairs", type=int, default=120, help="in each language")
    parser.add_argument("--questions", type=int, default=300, help="of each judged set")
    parser.add_argument("--print", action="store_true", help="print the figures, and keep nothing")
    options = parser.parse_args()
    embed = embedder(options.home / "models" / "all-minilm-l6-v2")
    figures = {"two_passages": two_passages(embed, options.pairs), "one_passage": one_passage(embed, options.questions)}
    if options.print:
        print(json.dumps(figures, indent=2))
    else:
        report("graph", figures)
    return 0


def embedder(folder: Path) -> Any:
    """MiniLM in this process."""
    from rocamadre.engines.embed.child import EmbeddingModel

    model = EmbeddingModel(folder, threads=1)

    def embed(texts: Sequence[str]) -> Any:
        tokens = [model.truncate(ids) for ids in model.token_ids(list(texts))]
        order = sorted(range(len(tokens)), key=lambda place: len(tokens[place]))
        found = np.empty((len(tokens), model.dimensions), np.float32)
        for start in range(0, len(order), 16):
            part = order[start : start + 16]
            found[part] = model.embed([tokens[place] for place in part])
        return found

    return embed


def pairs(count: int) -> list[Pair]:
    """Made-up people and firms; every name once."""
    chance = random.Random(11)
    used: set[str] = set()

    def name(length: int) -> str:
        while True:
            made = "".join(chance.choice(PARTS) for _ in range(length)).capitalize()
            if made not in used:
                used.add(made)
                return made

    found = []
    for language, (first, second, question, jobs, things) in TEXTS.items():
        for _ in range(count):
            facts = {
                "person": f"{name(2)} {name(3)}",
                "firm": f"{name(3)} {name(2)}",
                "city": name(4),
                "job": chance.choice(jobs),
                "thing": chance.choice(things),
                "count": chance.randrange(20, 900),
            }
            found.append(Pair(language, question.format(**facts), first.format(**facts), second.format(**facts)))
    return found


def store_of(folder: str, texts: Sequence[str], embed: Any) -> VectorStore:
    """Chunks of one passage each, with the names in them."""
    facts = StoreFacts(MINILM, 384)
    store = VECTOR_STORES.load("sqlite")(Settings(home=Path(folder)), "GRAPHBENCH", facts)
    vectors = embed(texts)
    items = []
    for number, text in enumerate(texts):
        language = detect(text)
        chunk = Chunk(
            id=str(number),
            document=str(number),
            text=text,
            start=0,
            end=len(text),
            language=language,
            terms=" ".join(analyse(text, language)),
            metadata=described(text),
            embedding=vectors[number],
        )
        items.append(Replacement(str(number), "bench", "", [chunk], text))
    store.replace_many(items)
    return store


def two_passages(embed: Any, count: int) -> dict[str, Any]:
    """Recall among the first five, with and without the stage."""
    asked = pairs(count)
    texts = [text for pair in asked for text in (pair.first, pair.second)]
    random.Random(3).shuffle(texts)
    places = {text: str(place) for place, text in enumerate(texts)}
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        store = store_of(folder, texts, embed)
        for name, settings in ways().items():
            both: dict[str, list[bool]] = {}
            second: list[bool] = []
            for pair in asked:
                found = {item.chunk.id for item in search(store, Query(pair.question, LIMIT), settings, embed).results}
                second.append(places[pair.second] in found)
                both.setdefault(pair.language, []).append({places[pair.first], places[pair.second]} <= found)
            every = [each for found in both.values() for each in found]
            figures[name] = {
                "both_in_5": round(float(np.mean(every)), 3),
                "second_in_5": round(float(np.mean(second)), 3),
                **{language: round(float(np.mean(found)), 3) for language, found in both.items()},
            }
        store.close()
    return {"questions": len(asked), "passages": len(texts), **figures}


def one_passage(embed: Any, most: int) -> dict[str, Any]:
    """nDCG@10 of the judged sets, with and without the stage."""
    data = Path(os.environ.get("ROCA_DATA", ""))
    figures: dict[str, Any] = {}
    for name in SETS:
        if not (data / name).is_dir():
            print(f"without ROCA_DATA there is no {name}", file=sys.stderr)
            continue
        documents, queries = _rows(data / name / "documents"), _rows(data / name / "queries")
        judged = {row["query"]: row["doc"] for row in _rows(data / name / "judgements")}
        queries = random.Random(5).sample(queries, min(most, len(queries)))
        places = {row["doc"]: str(place) for place, row in enumerate(documents)}
        with tempfile.TemporaryDirectory() as folder:
            store = store_of(folder, [row["text"] for row in documents], embed)
            figures[name] = {}
            for way, settings in ways().items():
                gains = []
                for row in queries:
                    found = [item.chunk.id for item in search(store, Query(row["text"], 10), settings, embed).results]
                    right = places[judged[row["query"]]]
                    gains.append(1 / np.log2(2 + found.index(right)) if right in found else 0.0)
                figures[name][way] = round(float(np.mean(gains)), 4)
            store.close()
    return figures


def ways() -> dict[str, SearchSettings]:
    """The default, and with the stage."""
    return {"default": SearchSettings(), "graph": SearchSettings().with_stages("graph")}


if __name__ == "__main__":
    sys.exit(main())
