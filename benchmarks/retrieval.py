"""How well knowledge bases find, through the public API: judged sets, other languages, and whether reranking helps.

`ROCA_DATA=… python -m benchmarks.retrieval [--home DIR] [--half test|development] [--only search|quality|languages]`

A server of its own, a knowledge base per set (a bucket, S3 ingestion without cutting), Retrieve for each question with
the default settings. The other rows are what one gets without thinking: BM25 computed here, the cosines of the same
server by MiniLM alone (search type SEMANTIC, which compares all vectors of so few chunks), and both fused in the usual
ways. Rows of ours without one stage say what that stage adds. Every difference is paired by question, with 2,000
bootstrap draws; reranking is tried on some of the questions. Settings were chosen on the development half.

The knowledge bases stay in DIR; a second run embeds nothing again.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import statistics
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.harness import ROOT, client, report, server
from benchmarks.retrieval_sets import (
    SETS,
    Bm25,
    JudgedSet,
    Question,
    data_folder,
    fused_ranks,
    fused_scores,
    load,
    rows,
)
from rocamadre.knowledge.evaluation import ndcg, paired_difference, recall

MODEL = "arn:aws:bedrock:us-east-1::foundation-model/rocamadre.minilm-l6-v2:0"
ROLE = "arn:aws:iam::123456789012:role/benchmark"
OURS = "rocamadre"
BAR = -0.005
AIMS = {"retrieval-squad-en": 0.92, "retrieval-squad-es": 0.85, "retrieval-pt": 0.85, "cranfield": 0.42, "cisi": 0.40}
PAIRS = (("en", "es"), ("es", "en"), ("en", "pt"), ("pt", "en"), ("es", "pt"), ("pt", "es"))
STAGES = {"neighbours": "neighbours", "second vectors": "second-vectors"}
"""Stages whose part is measured, by what they are called here."""
RERANKED = 20
"""Questions of a set, by hash: the reranker reads 25 passages for each, which takes it a second or two."""
SENTENCES = 200
QUESTIONS = 200


class Platform:
    """Knowledge bases of a server, by name."""

    def __init__(self, address: str) -> None:
        self.s3, self.agent, self.runtime = (
            client(name, address) for name in ("s3", "bedrock-agent", "bedrock-agent-runtime")
        )
        # boto3 has no member for how to search: a header of ours.
        self._search = ""
        self.runtime.meta.events.register("before-sign.bedrock-agent-runtime.Retrieve", self._wish)
        self._bases = {
            each["name"]: each["knowledgeBaseId"]
            for page in self.agent.get_paginator("list_knowledge_bases").paginate()
            for each in page["knowledgeBaseSummaries"]
        }

    def _wish(self, request: Any, **_: Any) -> None:
        if self._search:
            request.headers["x-rocamadre-search"] = self._search

    def filled(self, name: str, documents: Mapping[str, str]) -> str:
        """The id of the knowledge base of this name, which holds these documents, each as one chunk."""
        bucket = f"benchmark-{name}"
        if name not in self._bases:
            self.s3.create_bucket(Bucket=bucket)
            for key, text in documents.items():
                self.s3.put_object(Bucket=bucket, Key=f"{key}.txt", Body=text.encode())
            vector = {"embeddingModelArn": MODEL}
            made = self.agent.create_knowledge_base(
                name=name,
                roleArn=ROLE,
                knowledgeBaseConfiguration={"type": "VECTOR", "vectorKnowledgeBaseConfiguration": vector},
            )
            base = made["knowledgeBase"]["knowledgeBaseId"]
            self.agent.create_data_source(
                knowledgeBaseId=base,
                name="bucket",
                dataSourceConfiguration={"type": "S3", "s3Configuration": {"bucketArn": f"arn:aws:s3:::{bucket}"}},
                vectorIngestionConfiguration={"chunkingConfiguration": {"chunkingStrategy": "NONE"}},
            )
            self._bases[name] = base
        self._ingest(self._bases[name], len(documents))
        return str(self._bases[name])

    def _ingest(self, base: str, count: int) -> None:
        source = self.agent.list_data_sources(knowledgeBaseId=base)["dataSourceSummaries"][0]["dataSourceId"]
        place = {"knowledgeBaseId": base, "dataSourceId": source}
        job = self.agent.start_ingestion_job(**place)["ingestionJob"]
        while job["status"] not in ("COMPLETE", "FAILED", "STOPPED"):
            time.sleep(1)
            job = self.agent.get_ingestion_job(**place, ingestionJobId=job["ingestionJobId"])["ingestionJob"]
        facts = job["statistics"]
        if (
            job["status"] != "COMPLETE"
            or facts["numberOfDocumentsFailed"]
            or facts["numberOfDocumentsScanned"] != count
        ):
            raise SystemExit(f"ingestion of {base}: {job['status']}, {facts}, {job.get('failureReasons')}")

    def found(self, base: str, text: str, *, limit: int = 10, **more: Any) -> dict[str, float]:
        """Documents with their scores, best first; `search` is the header's JSON, the rest goes to the search."""
        wish = more.pop("search", None)
        self._search = json.dumps(wish) if wish else ""
        answer = self.runtime.retrieve(
            knowledgeBaseId=base,
            retrievalQuery={"text": text},
            retrievalConfiguration={"vectorSearchConfiguration": {"numberOfResults": limit, **more}},
        )
        return {
            each["location"]["s3Location"]["uri"].rpartition("/")[2].removesuffix(".txt"): each["score"]
            for each in answer["retrievalResults"]
        }

    def reranked(self, base: str, text: str) -> dict[str, float]:
        """The best 25, put in order by the reranker that comes with the platform."""
        model = {"modelConfiguration": {"modelArn": MODEL}, "numberOfRerankedResults": 10}
        wanted = {"type": "BEDROCK_RERANKING_MODEL", "bedrockRerankingConfiguration": model}
        return self.found(base, text, limit=25, rerankingConfiguration=wanted)


def quality(platform: Platform, half: str, kept: Path | None, *, sets: Sequence[str], rerank: bool) -> dict[str, Any]:
    """Every row on every set, and ours against the best other.

    Args:
        platform: Where the knowledge bases are.
        half: Which questions.
        kept: Folder of the sets' figures; those that are there are not measured again. None measures all.
        sets: Which of them.
        rerank: Measure reranking, which takes longest.
    """
    figures: dict[str, Any] = {}
    for name in sets:
        known = kept / f"{half}-{name}.json" if kept else None
        judged = load(name)
        base = platform.filled(name, judged.documents)
        found = json.loads(known.read_text()) if known and known.exists() else _measured(platform, base, judged, half)
        if rerank and "reranked" not in found:
            found["reranked"] = _reranked(platform, base, judged.half(half), found["gains"])
        if known:
            known.write_text(json.dumps(found))
        figures[name] = {key: value for key, value in found.items() if key != "gains"}
        print(name, json.dumps(figures[name], indent=1), flush=True)
    ours = [each["ndcg@10"][OURS] for each in figures.values()]
    others = [each["ndcg@10"][each["best_other"]] for each in figures.values()]
    return {
        "sets": figures,
        "mean_ndcg@10": {OURS: round(statistics.fmean(ours), 4), "best_other": round(statistics.fmean(others), 4)},
        "bars": {
            "nowhere_worse_by_more_than_0.005": all(
                each["against_best_other"]["mean"] >= BAR for each in figures.values()
            ),
            "better_on_average": statistics.fmean(ours) > statistics.fmean(others),
            "aims_reached": {name: each["ndcg@10"][OURS] >= AIMS[name] for name, each in figures.items()},
        },
    }


def _measured(platform: Platform, base: str, judged: JudgedSet, half: str) -> dict[str, Any]:
    """Of one set, all but reranking; `gains` are those of our default, by question."""
    questions = judged.half(half)
    results, milliseconds = _rows_of(platform, base, judged, half)
    gains = {}
    for row, found in results.items():
        gains[row] = [ndcg(ids, each.grades) for ids, each in zip(found, questions, strict=True)]
    means = {row: statistics.fmean(values) for row, values in gains.items()}
    best = max((row for row in means if not row.startswith(OURS)), key=lambda row: means[row])
    return {
        "questions": len(questions),
        "documents": len(judged.documents),
        "ndcg@10": {row: round(mean, 4) for row, mean in means.items()},
        "recall@5": {row: _recall(found, questions) for row, found in results.items()},
        "best_other": best,
        "against_best_other": _difference(gains[OURS], gains[best]),
        "without_against_with": {each: _difference(gains[f"{OURS}, without {each}"], gains[OURS]) for each in STAGES},
        "retrieve_ms": {"median": round(statistics.median(milliseconds), 1), "p99": _p99(milliseconds)},
        "aim": AIMS[judged.name],
        "gains": gains[OURS],
    }


def _reranked(platform: Platform, base: str, questions: Sequence[Question], gains: Sequence[float]) -> dict[str, float]:
    """What reranking does to some of the questions."""
    order = sorted(range(len(questions)), key=lambda place: _shuffled(questions[place].text))[:RERANKED]
    picked = [questions[place] for place in order]
    with_it = [ndcg(list(platform.reranked(base, each.text)), each.grades) for each in picked]
    without = [gains[place] for place in order]
    means = {"ndcg@10": round(statistics.fmean(with_it), 4), "without_ndcg@10": round(statistics.fmean(without), 4)}
    return {"questions": len(picked), **means, **_difference(with_it, without)}


def _rows_of(
    platform: Platform, base: str, judged: JudgedSet, half: str
) -> tuple[dict[str, list[list[str]]], list[float]]:
    plain, stemmed = Bm25(judged.documents, None), Bm25(judged.documents, judged.language)
    found: dict[str, list[list[str]]] = {}
    milliseconds = []
    for question in judged.half(half):
        started = time.perf_counter()
        ours = platform.found(base, question.text)
        milliseconds.append(1000 * (time.perf_counter() - started))
        lexical = stemmed.ranked(question.text)
        alone = {"without": ["second-vectors"]}
        dense = platform.found(base, question.text, limit=100, overrideSearchType="SEMANTIC", search=alone)
        for row, ids in {
            "BM25 plain": plain.ranked(question.text),
            "BM25, stop words, stems": lexical,
            "cosine": dense,
            "reciprocal ranks, k = 60": fused_ranks([lexical, dense], 60),
            "reciprocal ranks, k = 10": fused_ranks([lexical, dense], 10),
            "weighted sum, dense 0.3": fused_scores(lexical, dense, 0.3),
            "weighted sum, dense 0.5": fused_scores(lexical, dense, 0.5),
            OURS: ours,
            **{
                f"{OURS}, without {each}": platform.found(base, question.text, search={"without": [stage]})
                for each, stage in STAGES.items()
            },
        }.items():
            found.setdefault(row, []).append(list(ids)[:10])
    return found, milliseconds


def _recall(found: Sequence[Sequence[str]], questions: Sequence[Question]) -> float:
    return round(statistics.fmean(map(lambda ids, each: recall(ids, each.grades, k=5), found, questions)), 4)


def _difference(ours: Sequence[float], theirs: Sequence[float]) -> dict[str, float]:
    return {name: round(value, 4) for name, value in paired_difference(ours, theirs)._asdict().items()}


def _p99(values: Sequence[float]) -> float:
    return round(sorted(values)[int(0.99 * (len(values) - 1))], 1)


def languages(platform: Platform) -> dict[str, Any]:
    """Recall where question and chunks are in different languages, with and without what is made for that."""
    data = data_folder()
    sentences: dict[str, dict[str, str]] = {"en": {}, "es": {}, "pt": {}}
    for other in ("es", "pt"):
        for row in rows(data / "ntrex", f"ntrex-en-{other}"):
            sentences["en"][str(row["id"])], sentences[other][str(row["id"])] = row["en"], row[other]
    picked = sorted(sentences["en"], key=_shuffled)[:SENTENCES]
    figures: dict[str, Any] = {"ntrex": {}, "xquad": {}}
    bases = {language: platform.filled(f"ntrex-{language}", texts) for language, texts in sentences.items()}
    for source, target in PAIRS:
        asked = [(sentences[source][each], each) for each in picked if each in sentences[target]]
        figures["ntrex"][f"{source} to {target}"] = _with_and_without(platform, bases[target], asked)
        print(source, target, figures["ntrex"][f"{source} to {target}"], flush=True)
    figures["xquad"] = _xquad(platform, data)
    return figures


def _xquad(platform: Platform, data: Path) -> dict[str, Any]:
    """Questions against passages of the other language alone, then against both languages in one knowledge base."""
    lines = {
        language: {row["id"]: row for row in rows(data / "xquad", f"xquad.{language}")} for language in ("en", "es")
    }
    number = {}
    for language, each in lines.items():
        texts = dict.fromkeys(row["context"] for row in each.values())
        number[language] = {text: f"{language}{place}" for place, text in enumerate(texts)}
    passages = {language: {key: text for text, key in each.items()} for language, each in number.items()}
    asked = sorted(lines["en"].keys() & lines["es"].keys(), key=_shuffled)[:QUESTIONS]
    figures = {}
    for source, target in (("en", "es"), ("es", "en")):
        base = platform.filled(f"xquad-{target}", passages[target])
        pairs = [(lines[source][each]["question"], number[target][lines[target][each]["context"]]) for each in asked]
        figures[f"{source} to {target}"] = _with_and_without(platform, base, pairs)
        print("xquad", source, target, figures[f"{source} to {target}"], flush=True)
    both = platform.filled("xquad-both", {**passages["en"], **passages["es"]})
    for language in ("en", "es"):
        pairs = [(row["question"], number[language][row["context"]]) for row in map(lines[language].get, asked) if row]
        figures[f"{language} to {language}, both languages held"] = _with_and_without(platform, both, pairs)
        print("xquad both", language, figures[f"{language} to {language}, both languages held"], flush=True)
    return figures


def _with_and_without(platform: Platform, base: str, asked: Sequence[tuple[str, str]]) -> dict[str, Any]:
    figures: dict[str, Any] = {"questions": len(asked)}
    for row, wish in (
        ("default", None),
        ("without translated words", {"without": ["translate"]}),
        ("without second vectors", {"without": ["second-vectors"]}),
    ):
        found = [(list(platform.found(base, text, search=wish)), right) for text, right in asked]
        for k in (1, 5):
            figures.setdefault(f"recall@{k}", {})[row] = round(
                statistics.fmean(right in ids[:k] for ids, right in found), 4
            )
    return figures


def _shuffled(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


def main() -> None:
    """Run and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, default=ROOT / ".roca" / "benchmarks" / "retrieval")
    parser.add_argument("--models", type=Path, default=ROOT / ".roca" / "models", help="with the prepared MiniLM")
    parser.add_argument("--half", choices=("test", "development"), default="test")
    parser.add_argument(
        "--only", choices=("search", "quality", "languages"), help="search is quality without reranking"
    )
    parser.add_argument("--sets", default=",".join(SETS), help="with commas between them")
    parser.add_argument("--resume", action="store_true", help="go on with a run that broke off, keeping its figures")
    parser.add_argument("--core", type=int, help="pin the server to it")
    options = parser.parse_args()
    data_folder()
    sets = options.sets.split(",")
    (options.home / "models").mkdir(mode=0o700, parents=True, exist_ok=True)
    minilm = options.home / "models" / "all-minilm-l6-v2"
    if not minilm.exists():
        minilm.symlink_to(options.models.resolve() / "all-minilm-l6-v2")
    figures: dict[str, Any] = {"half": options.half}
    with server(home=options.home, core=options.core, settings={"ENGINES__THREADS": "1"}) as (address, _, _):
        platform = Platform(address)
        if options.only != "languages":
            figures |= quality(
                platform,
                options.half,
                options.home if options.resume else None,
                sets=sets,
                rerank=options.only != "search",
            )
        if options.only not in ("search", "quality"):
            figures["languages"] = languages(platform)
    if options.half == "test" and not options.only and set(sets) == set(SETS):
        report("retrieval", figures)
    else:
        print(json.dumps(figures, indent=2, ensure_ascii=False))


if __name__ == "__main__":
    main()
