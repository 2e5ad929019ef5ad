"""The training itself, with torch, and what is known of it afterwards."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path

import export
import numpy as np
import torch
from corpus import Corpus
from cuts import Cuts
from student import Batches, Plan, Student, begin, train
from vocabulary import Bags

from rocamadre.engines.embed.static import StaticModel

PARITY_TEXTS = 500


def make(corpus: Corpus, tokenizer, taught: np.ndarray, folder: Path, given: argparse.Namespace, *, seed: int) -> dict:
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    tokenizer.no_padding()
    kept = folder / "bags.npz"
    bags = Bags.load(kept) if kept.exists() else Bags(tokenizer, corpus.texts)
    if not kept.exists():
        bags.save(kept)
    plan = Plan(rank=given.rank, steps=given.steps, rate=given.rate, seed=seed)
    if given.smoke:
        plan.translations, plan.english, plan.asked, plan.cuts = 64, 32, 16, 16
    known = torch.from_numpy(taught.astype(np.float32))
    known = torch.nn.functional.normalize(known, dim=1)
    student = Student(tokenizer.get_vocab_size(), plan.rank, known.shape[1])
    batches = Batches(corpus, plan, Cuts(corpus, tokenizer), taught)
    begin(student, bags, batches, known)
    train(student, batches, bags, known, folder, every=100)
    table, weight, space = (each.detach().numpy() for each in (student.table, student.weight, student.map))
    export.save(folder / "static.safetensors", table, weight, space)
    return {
        "plan": asdict(plan),
        "pieces": tokenizer.get_vocab_size(),
        "texts": len(corpus.texts),
        "teacher_texts": len(taught),
        "translations": {kind: len(pairs) for kind, pairs in corpus.translations.items()},
        "asked": {kind: len(pairs) for kind, pairs in corpus.asked.items()},
        "paragraphs": {language: len(places) for language, places in corpus.paragraphs.items()},
        "bytes": sum((folder / name).stat().st_size for name in ("static.safetensors", "tokenizer.json")),
        "parity": parity(student, bags, corpus, folder),
    }


def parity(student: Student, bags: Bags, corpus: Corpus, folder: Path) -> dict:
    """Cosines between the vectors of the trained weights and those of the served file."""
    places = np.random.default_rng(0).choice(len(corpus.texts), min(PARITY_TEXTS, len(corpus.texts)), replace=False)
    served = StaticModel(folder)
    with torch.no_grad():
        ids, counts, offsets = bags.gather(places)
        trained = student(torch.from_numpy(ids), torch.from_numpy(counts), torch.from_numpy(offsets)).numpy()
    vectors = served.embed(served.token_ids([corpus.texts[place] for place in places]))
    cosines = (trained * vectors).sum(1)[bags.lengths[places] > 0]
    return {"texts": len(cosines), "least": round(float(cosines.min()), 5), "mean": round(float(cosines.mean()), 5)}
