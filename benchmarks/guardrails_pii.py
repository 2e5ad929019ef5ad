"""Personal data: precision, recall and F1 by type and language, and texts per second, beside Presidio's recognisers.

`python -m benchmarks.guardrails_pii --data DIR [--seconds N] [--skip-peer]`

DIR is the folder of the data sets. Measured on the halves of pii-presidio (en), pii-meddocan (es) and ner-lener-br (pt)
that trained nothing (odd SHA-256 of the id), and on own cases with made values and look-alikes (pii_cases.py). Beside
us run Presidio's pattern recognisers, all that it ships for the types asked, on a blank language pipeline, from an
environment of their own in `.venv-presidio`, made here when it is missing (some 400 MB). Times are processor time, so
that others at work on the machine change little; each engine has one thread.

What counts as found: a piece of the right type that covers half of the marked characters, and of which half is marked
(the whole of an age, "40 years", may be given for "40"). Addresses: marked streets with what follows them (city, state,
code) are one; a city or country marked by itself counts neither for nor against.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import os
import random
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.harness import ROOT, report
from benchmarks.pii_cases import cases

PRESIDIO = "2.2.366"
RESAMPLES = 1000
SEED = 20261121
MAPS = {
    "pii-presidio/presidio.jsonl": (
        "en",
        {
            **{"PERSON": "NAME", "STREET_ADDRESS": "ADDRESS", "GPE": "place", "ZIP_CODE": "place"},
            **{
                "CREDIT_CARD": "CREDIT_DEBIT_CARD_NUMBER",
                "PHONE_NUMBER": "PHONE",
                "AGE": "AGE",
                "EMAIL_ADDRESS": "EMAIL",
            },
            **{"IP_ADDRESS": "IP_ADDRESS", "DOMAIN_NAME": "URL", "IBAN_CODE": "INTERNATIONAL_BANK_ACCOUNT_NUMBER"},
        },
    ),
    "pii-meddocan/meddocan.jsonl.gz": (
        "es",
        {
            **{"NOMBRE_SUJETO_ASISTENCIA": "NAME", "NOMBRE_PERSONAL_SANITARIO": "NAME", "CALLE": "ADDRESS"},
            **{
                "TERRITORIO": "place",
                "PAIS": "place",
                "HOSPITAL": "place",
                "INSTITUCION": "place",
                "CENTRO_SALUD": "place",
            },
            **{
                "EDAD_SUJETO_ASISTENCIA": "AGE",
                "CORREO_ELECTRONICO": "EMAIL",
                "NUMERO_TELEFONO": "PHONE",
                "NUMERO_FAX": "PHONE",
            },
        },
    ),
    "ner-lener-br/lener-br.jsonl.gz": ("pt", {"PESSOA": "NAME"}),
}
PEER = {
    "CREDIT_CARD": "CREDIT_DEBIT_CARD_NUMBER", "EMAIL_ADDRESS": "EMAIL", "PHONE_NUMBER": "PHONE",
    "IP_ADDRESS": "IP_ADDRESS", "URL": "URL", "IBAN_CODE": "INTERNATIONAL_BANK_ACCOUNT_NUMBER",
    "US_SSN": "US_SOCIAL_SECURITY_NUMBER",
    "US_ITIN": "US_INDIVIDUAL_TAX_IDENTIFICATION_NUMBER", "US_PASSPORT": "US_PASSPORT_NUMBER",
    "US_BANK_NUMBER": "US_BANK_ACCOUNT_NUMBER", "ABA_ROUTING_NUMBER": "US_BANK_ROUTING_NUMBER",
    "US_DRIVER_LICENSE": "DRIVER_ID", "UK_NHS": "UK_NATIONAL_HEALTH_SERVICE_NUMBER",
    "UK_NINO": "UK_NATIONAL_INSURANCE_NUMBER", "MAC_ADDRESS": "MAC_ADDRESS", "ES_NIF": "ES_DNI", "ES_NIE": "ES_NIE",
}  # fmt: skip


class Marked(NamedTuple):
    """A text of a set, with what is marked in it."""

    set: str
    language: str
    text: str
    gold: list[tuple[int, int, str]]


def measured(key: str) -> bool:
    """Whether a row measures; the others train the tagger."""
    return int(hashlib.sha256(key.encode()).hexdigest(), 16) % 2 == 1


def load(folder: Path) -> list[Marked]:
    made = []
    for name, (language, kinds) in MAPS.items():
        with (gzip.open if name.endswith(".gz") else open)(folder / name, "rt", encoding="utf-8") as lines:
            for line in lines:
                row = json.loads(line)
                if measured(row["id"]):
                    gold = [(start, end, kinds[kind]) for start, end, kind in row["entities"] if kind in kinds]
                    # A relative is marked as "madre" or by name; the name is one.
                    gold += [
                        (s, e, "NAME")
                        for s, e, k in row["entities"]
                        if k.startswith("FAMILIARES") and row["text"][s].isupper()
                    ]
                    made.append(Marked(name.split("/")[0], language, row["text"], joined(row["text"], gold)))
    made += [Marked("own", each.language, each.text, list(each.gold)) for each in cases()]
    return made


def joined(text: str, gold: list[tuple[int, int, str]]) -> list[tuple[int, int, str]]:
    """Parts of one address made one; a place with a street beside it is part of the address."""
    parts = sorted(each for each in gold if each[2] in {"ADDRESS", "place"})
    groups: list[list[tuple[int, int, str]]] = []
    for part in parts:
        if (
            groups
            and not any(each.isalnum() for each in text[groups[-1][-1][1] : part[0]])
            and part[0] - groups[-1][-1][1] <= 6
        ):
            groups[-1].append(part)
        else:
            groups.append([part])
    made = [each for each in gold if each[2] not in {"ADDRESS", "place"}]
    for group in groups:
        kind = "ADDRESS" if any(each[2] == "ADDRESS" for each in group) else "place"
        begins = min(each[0] for each in group if each[2] == kind)
        made.append((begins, group[-1][1], kind))
    return sorted(made)


def judged(row: Marked, found: Iterable[tuple[str, int, int]], types: set[str]) -> dict[str, list[int]]:
    """Right, wrong and missed by type."""
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    left = [each for each in row.gold if each[2] in types]
    for kind, start, end in sorted(found, key=lambda one: one[1]):
        fits = [
            each
            for each in left
            if each[2] == kind
            and (both := min(end, each[1]) - max(start, each[0])) * 2 >= each[1] - each[0]
            and (kind == "AGE" or both * 2 >= end - start)
        ]
        if fits:
            left.remove(fits[0])
            counts[kind][0] += 1
        elif kind != "ADDRESS" or not any(
            each[2] in {"place", "ADDRESS"} and each[0] < end and start < each[1] for each in row.gold
        ):
            counts[kind][1] += 1
    for each in left:
        counts[each[2]][2] += 1
    return counts


def scores(rows: Sequence[Sequence[int]]) -> dict[str, Any]:
    """Precision, recall and F1 over texts, with 95 % intervals of F1 from resampled texts."""

    def figures(picked: Iterable[Sequence[int]]) -> tuple[float, float, float]:
        right, wrong, missed = (sum(column) for column in zip(*picked, strict=True))
        precision = right / (right + wrong) if right + wrong else 0.0
        recall = right / (right + missed) if right + missed else 0.0
        return precision, recall, 2 * right / (2 * right + wrong + missed) if right + wrong + missed else 0.0

    draw = random.Random(SEED)
    some = [each for each in rows if any(each)]
    spread = sorted(figures(draw.choices(some, k=len(some)))[2] for _ in range(RESAMPLES))
    precision, recall, f1 = figures(some)
    return {
        "precision": round(precision, 3),
        "recall": round(recall, 3),
        "f1": round(f1, 3),
        "f1_95": [round(spread[25], 3), round(spread[-26], 3)],
        "marked": sum(each[0] + each[2] for each in some),
    }


def table(rows: Sequence[Marked], found: Sequence[Sequence[tuple[str, int, int]]], types: set[str]) -> dict[str, Any]:
    """Figures by set and language, then by type."""
    counts: dict[str, dict[str, list[list[int]]]] = defaultdict(lambda: defaultdict(list))
    wanted: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        wanted[f"{row.set} {row.language}"] |= {each[2] for each in row.gold}
    for row, pieces in zip(rows, found, strict=True):
        place = f"{row.set} {row.language}"
        for kind, each in judged(row, [one for one in pieces if one[0] in types], types).items():
            # A set that marks no such type says nothing about it; own cases mark all.
            if kind in wanted[place] or row.set == "own":
                counts[place][kind].append(each)
    return {
        place: {kind: scores(each) for kind, each in sorted(kinds.items())}
        | {"all": scores([one for each in kinds.values() for one in each])}
        for place, kinds in counts.items()
    }


def timed(run: Any, texts: Sequence[str], seconds: float) -> dict[str, float]:
    """Texts per second of about a thousand characters, and milliseconds each."""
    taken = []
    started = time.process_time()
    while time.process_time() - started < seconds:
        for text in texts:
            before = time.process_time()
            run(text)
            taken.append((time.process_time() - before) * 1000)
    taken.sort()
    return {
        "texts_per_s": round(1000 * len(taken) / sum(taken), 1),
        "p50_ms": round(statistics.median(taken), 3),
        "p99_ms": round(taken[int(0.99 * len(taken))], 3),
        "texts": len(taken),
    }


def thousands(rows: Sequence[Marked]) -> list[str]:
    """Texts of a thousand characters from all sets."""
    by_set: dict[str, str] = defaultdict(str)
    for row in rows:
        by_set[f"{row.set}{row.language}"] += row.text + "\n"
    return [text[at : at + 1000] for text in by_set.values() for at in range(0, min(len(text), 25_000) - 1000, 1000)]


def ours(types: Iterable[str]) -> Any:
    from rocamadre.guardrails.folding import clean
    from rocamadre.guardrails.recognisers.scanner import Scanner

    scanner = Scanner(list(types))
    return lambda text: [(each.type, each.start, each.end) for each in scanner.scan(clean(text).text)]


def peer(questions: dict[str, Any]) -> dict[str, Any]:
    """Presidio's answers and times, from a process in its own environment on this core."""
    folder = ROOT / ".venv-presidio"
    python = folder / "bin" / "python"
    if not (folder / "bin" / "python").exists() or not list(folder.glob("lib/*/site-packages/presidio_analyzer")):
        print(
            f"installing presidio-analyzer {PRESIDIO} into {folder.name}; this takes minutes",
            file=sys.stderr,
            flush=True,
        )
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        pip = [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
        subprocess.run([*pip, f"presidio-analyzer=={PRESIDIO}", "python-stdnum"], check=True)
    done = subprocess.run(
        [str(python), "-m", "benchmarks.guardrails_presidio"],
        input=json.dumps(questions), capture_output=True, text=True, cwd=ROOT, check=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    return dict(json.loads(done.stdout))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--skip-peer", action="store_true")
    given = parser.parse_args()
    from rocamadre.guardrails.policies.sensitive import TYPES
    from rocamadre.guardrails.recognisers.registry import NAMED

    rows = load(given.data)
    types = {*TYPES, *NAMED}
    everything, shared = ours(types), set(PEER.values())
    alike = ours(shared)
    texts = thousands(rows)
    figures: dict[str, Any] = {
        "texts": len(rows),
        "ours": table(rows, [everything(row.text) for row in rows], types),
        "benign_texts_with_a_finding": benign(rows, [everything(row.text) for row in rows]),
        "speed": {
            "every type": timed(everything, texts, given.seconds),
            "types that Presidio has": timed(alike, texts, given.seconds),
        },
    }
    if not given.skip_peer:
        answers = peer(
            {"rows": [(row.language, row.text) for row in rows], "texts": texts, "seconds": given.seconds, "map": PEER}
        )
        figures["shared types"] = {
            "ours": totals(rows, [alike(row.text) for row in rows], shared),
            "presidio": totals(rows, answers["found"], shared),
        }
        figures["presidio"] = table(rows, answers["found"], shared)
        figures["speed"]["Presidio's pattern recognisers"] = answers["speed"]
        again = timed(alike, texts, given.seconds)
        figures["speed"]["times Presidio"] = round(again["texts_per_s"] / answers["speed"]["texts_per_s"], 1)
        figures["presidio_version"] = answers["version"]
    report("guardrails_pii", figures)


def benign(rows: Sequence[Marked], found: Sequence[Sequence[Any]]) -> dict[str, str]:
    """Own look-alikes in which something is found, of how many."""
    made: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for row, pieces in zip(rows, found, strict=True):
        if row.set == "own" and not row.gold:
            made[row.language][0] += bool(pieces)
            made[row.language][1] += 1
    return {language: f"{some} of {of}" for language, (some, of) in made.items()}


def totals(rows: Sequence[Marked], found: Sequence[Sequence[tuple[str, int, int]]], types: set[str]) -> dict[str, Any]:
    """F1 over the types that both have, by set."""
    return {place: kinds["all"] for place, kinds in table(rows, found, types).items()}


if __name__ == "__main__":
    main()
