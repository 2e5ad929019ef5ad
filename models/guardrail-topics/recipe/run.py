"""Everything in order: `python models/guardrail-topics/recipe/run.py DATA WORK ENCODER [--seconds N] [--smoke]`.

ENCODER is the folder of all-MiniLM-L6-v2 as the platform keeps it (`models/all-minilm-l6-v2` in its home): the teacher.
Its vectors are kept in WORK, so that a run that was cut off goes on; --seconds limits the time for them. With --smoke
few texts are read, and all results go to WORK. NumPy alone, and onnxruntime for the teacher.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import random
from pathlib import Path
from types import ModuleType

import fitting
import numpy as np
import reading

from rocamadre.guardrails.classifiers import stretches

DIMENSIONS = 128
RIDGE = 3.0
SUBJECTS = 256
TEXTS = 400
TARGET = Path(str(stretches.__file__)).with_name("weights") / "topics.npz"
FIGURES = Path(__file__).parents[1] / "figures.json"


def teacher() -> ModuleType:
    """The embedder's own way to ask the teacher."""
    path = Path(__file__).parents[2] / "roca-embed" / "recipe" / "teacher.py"
    spec = importlib.util.spec_from_file_location("embedders_teacher", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def asked(material: reading.Material) -> list[str]:
    """English texts for the teacher, the most useful first."""
    draw = random.Random(reading.SEED)
    spanish, portuguese = ([english for english, _ in material.parallel[each]] for each in ("es", "pt"))
    draw.shuffle(spanish)
    draw.shuffle(portuguese)
    wants = [text for text, _ in material.intents]
    texts = wants[:5000] + portuguese[:6000] + spanish[:8000] + wants[5000:] + portuguese[6000:] + spanish[8000:]
    return list(dict.fromkeys(texts))


def mapped(material: reading.Material, known: dict[str, np.ndarray], summed) -> np.ndarray:
    """Ridge regression of the teacher's vectors, or their principal axes, on sums of pieces; translations count too."""
    names = list(known)
    values = np.array([known[each] for each in names], np.float32)
    middle = values.mean(axis=0)
    axes = np.linalg.svd((values - middle)[:: max(1, len(values) // 8000)], full_matrices=False)[2][:DIMENSIONS].T
    texts, wanted = names, [values]
    for pairs in material.parallel.values():
        told = [(english, other) for english, other in pairs if english in known]
        if not told:
            continue
        texts = texts + [other for _, other in told]
        wanted.append(np.array([known[english] for english, _ in told], np.float32))
    sums = summed(texts)
    sums /= np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-6)
    aims = (np.concatenate(wanted) - middle) @ axes
    return np.linalg.solve(sums.T @ sums + RIDGE * np.eye(sums.shape[1]), sums.T @ aims).astype(np.float32)


def middles(vectors: np.ndarray, count: int) -> np.ndarray:
    """Middles of groups of vectors by their cosines (spherical k-means)."""
    draw = np.random.default_rng(reading.SEED)
    found = vectors[draw.choice(len(vectors), count, replace=False)]
    for _ in range(12):
        nearest = (vectors @ found.T).argmax(axis=1)
        sums = np.zeros_like(found)
        np.add.at(sums, nearest, vectors)
        length = np.linalg.norm(sums, axis=1, keepdims=True)
        found = np.where(length > 1e-6, sums / np.maximum(length, 1e-6), found)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("encoder", type=Path)
    parser.add_argument("--seconds", type=float, default=1e9)
    parser.add_argument("--smoke", action="store_true")
    given = parser.parse_args()
    material = reading.read(given.data, smoke=given.smoke)
    texts = asked(material)[: 600 if given.smoke else None]
    places, values = teacher().cached(given.work / "teacher", given.encoder, texts, seconds=given.seconds)
    known = {texts[place]: value.astype(np.float32) for place, value in zip(places, values, strict=True)}
    tokenizer, rows, scales, mark = stretches.embedder()
    scales[stretches.UNKNOWN] = 0
    plain = stretches.Space(tokenizer, rows, scales, np.eye(rows.shape[1], dtype=np.float32))

    def summed(wanted: list[str]) -> np.ndarray:
        return np.array([plain.whole(each) for each in wanted], np.float32)

    place = stretches.Space(
        tokenizer, rows, scales, mapped(material, known, summed).astype(np.float16).astype(np.float32)
    )
    draw = random.Random(reading.SEED)
    wants = [text for text, _ in material.intents]
    pool, ordinary = draw.sample(wants, 2500), draw.sample(wants, TEXTS // 4)
    for language in reading.LANGUAGES:
        sentences, questions = material.sentences(language), material.questions[language]
        pool += draw.sample(sentences, min(2500, len(sentences))) + draw.sample(questions, min(900, len(questions)))
        ordinary += draw.sample(sentences, TEXTS // 6) + draw.sample(questions, TEXTS // 12)
    subjects = middles(np.array([place.whole(each) for each in pool]), 64 if given.smoke else SUBJECTS)
    cohorts = np.array([place.whole(each) for each in ordinary]), subjects
    coefficients, figures = fitting.fitted(material, place, *cohorts)
    arrays = {
        "mark": np.int64(mark),
        "map": place.map.astype(np.float16),
        "texts": cohorts[0].astype(np.float16),
        "subjects": cohorts[1].astype(np.float16),
        **coefficients,
    }
    target = given.work / TARGET.name if given.smoke else TARGET
    temporary = target.with_suffix(".part.npz")
    np.savez_compressed(temporary, **arrays)
    temporary.replace(target)
    report = {"teacher_texts": len(known), "bytes": target.stat().st_size, **figures, "data": reading.files(given.data)}
    (given.work / FIGURES.name if given.smoke else FIGURES).write_text(json.dumps(report, indent=1) + "\n")
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
