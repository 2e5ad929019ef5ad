"""Parsing and chunking: `python -m benchmarks.parsing [--seconds 2] [--embedder FOLDER]`.

Files per second and megabytes per second of each format, parsed in this process and through one child of a
`ParserPool`; how long a child takes to begin; then pieces per second of each chunker on ten megabytes, with the
tokenizer of the embedder where it is installed, or else words, and whether ten times the text takes ten times as long.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import os
import random
import resource
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.harness import report
from rocamadre.knowledge.chunkers.registry import chunker_of, settings_of
from rocamadre.knowledge.parsers.child import Request, file_of, parse
from rocamadre.knowledge.parsers.isolated import KNOWLEDGE_LIMITS, ParserPool
from rocamadre.knowledge.parsers.markdown import structure
from rocamadre.knowledge.parsers.parsed import Parsed
from rocamadre.testing.documents import make_docx, make_pdf, make_xlsx, paragraph, row
from rocamadre.testing.slides import make_pptx, slide

WORDS = (
    "the river house of stone and water was built in a year when many people came to see la casa del río que fue hecha "
    "con piedra y agua en un año o rio da serra corre depressa para o mar e a cidade cresce com ele every summer"
).split()


def prose(chance: random.Random, words: int) -> str:
    """Sentences of random words, in paragraphs."""
    out, line = [], []
    for number in range(words):
        line.append(chance.choice(WORDS) + str(chance.randrange(100)) * (number % 11 == 0))
        if len(line) == 14:
            out.append(" ".join(line).capitalize() + (".\n\n" if number % 5 == 0 else ". "))
            line = []
    return "".join(out)


def documents(chance: random.Random) -> dict[str, bytes]:
    """One of each format, of some 2,000 words."""
    text = prose(chance, 2000)
    paragraphs = [each.replace("\n", " ") for each in text.split("\n\n")]
    sections = [f"# Part {n}\n\n{each}" for n, each in enumerate(paragraphs)]
    rows = [[f"name {n}", each[:60].strip(), str(n)] for n, each in enumerate(paragraphs * 3)]
    table = io.StringIO()
    csv.writer(table).writerows([["Name", "Text", "Number"], *rows])
    lines = [each[:90] for each in paragraphs]
    marked = "".join(f"<h2>Part {n}</h2><p class='x'>{each}</p>" for n, each in enumerate(paragraphs))
    cells = (row(n, {"A": a, "B": b, "C": c}) for n, (a, b, c) in enumerate(rows, 1))
    return {
        "txt": text.encode(),
        "md": "\n\n".join(sections).encode(),
        "html": f"<html><head><title>x</title></head><body><nav>menu</nav>{marked}</body></html>".encode(),
        "csv": table.getvalue().encode(),
        "json": json.dumps([{"name": a, "text": b, "number": c} for a, b, c in rows]).encode(),
        "pdf": make_pdf(["\n".join(lines[start : start + 10]) for start in range(0, len(lines), 10)]),
        "docx": make_docx("".join(map(paragraph, paragraphs))),
        "xlsx": make_xlsx({"S": "".join(cells)}),
        "pptx": make_pptx([slide(f"Part {n}", [each]) for n, each in enumerate(paragraphs)]),
        "eml": f"From: a@b.c\nSubject: x\n\n{text}".encode(),
    }


def timed(work: Callable[[], Any], seconds: float) -> float:
    """Calls per second."""
    work()
    count, began = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - began) < seconds:
        work()
        count += 1
    return count / elapsed


def parsing(seconds: float) -> dict[str, Any]:
    """Each format, here and in a child."""
    found: dict[str, Any] = {}
    with ParserPool(workers=1) as pool:
        for ending, data in documents(random.Random(7)).items():
            name = f"a.{ending}"
            parsed = pool.parse(data, name)
            here = timed(lambda d=data, n=name: parse(file_of(Request("parse", d, n), KNOWLEDGE_LIMITS)), seconds)
            apart = timed(lambda d=data, n=name: pool.parse(d, n), seconds)
            found[ending] = {
                "bytes": len(data),
                "characters": len(parsed.text),
                "files_per_s_in_process": round(here, 1),
                "files_per_s_in_child": round(apart, 1),
                "mb_per_s_in_child": round(apart * len(data) / 1e6, 2),
            }
            print(ending, found[ending], flush=True)
    return found


def starts() -> dict[str, float]:
    """Seconds until a new pool has parsed its first file."""
    times = []
    for _ in range(5):
        began = time.perf_counter()
        with ParserPool(workers=1) as pool:
            pool.parse(b"x", "a.txt")
        times.append(time.perf_counter() - began)
    return {"median_s": round(statistics.median(times), 3), "least_s": round(min(times), 3)}


def counter(folder: Path) -> tuple[str, Callable[[str], int]]:
    """The embedder's count, where it is installed."""
    file = folder / "tokenizer.json"
    if not file.exists():
        return "words", lambda text: len(text.split())
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(file))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return folder.name, lambda text: len(tokenizer.encode(text).ids)


def chunking(count: Callable[[str], int]) -> dict[str, Any]:
    """Each chunker but SEMANTIC, whose time is the embedder's, on one and on ten megabytes."""
    found: dict[str, Any] = {}
    base = prose(random.Random(7), 20_000)
    parts = [f"## Part {n}\n\n{base}" for n in range(10_000_000 // len(base))]
    texts = ["\n\n".join(parts[: max(1, len(parts) // 10)]), "\n\n".join(parts)]
    parsed = [Parsed(text, headings=tuple(structure(text)[0])) for text in texts]
    for strategy in ("DEFAULT", "FIXED_SIZE", "HIERARCHICAL", "RECURSIVE", "BY_HEADING", "BY_SENTENCE"):
        chunker = chunker_of(settings_of(None if strategy == "DEFAULT" else {"chunkingStrategy": strategy}))
        times, pieces = [], 0
        for each in parsed:
            began = time.process_time()
            pieces = len(chunker.chunk(each, count))
            times.append(time.process_time() - began)
        found[strategy] = {
            "pieces": pieces,
            "pieces_per_s": round(pieces / times[1]),
            "mb_per_s": round(len(texts[1]) / 1e6 / times[1], 2),
            "time_for_ten_times_the_text": round(times[1] / times[0], 1),
        }
        print(strategy, found[strategy], flush=True)
    return found


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=2.0, help="for each format, in each way")
    home = Path(os.environ.get("ROCA_HOME", ".roca"))
    parser.add_argument("--embedder", type=Path, default=home / "models" / "all-minilm-l6-v2")
    options = parser.parse_args()
    name, count = counter(options.embedder)
    figures = {"starts": starts(), "parsing": parsing(options.seconds)}
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    figures |= {"tokens_of": name, "chunking": chunking(count)}
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    report("parsing", figures | {"memory_mb": {"before_chunking": before >> 10, "after_10_mb": after >> 10}})


if __name__ == "__main__":
    main()
