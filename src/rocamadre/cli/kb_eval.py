"""`roca kb eval`: how well a knowledge base finds and answers a list of questions."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import msgspec
import numpy as np
from numpy.typing import NDArray

from rocamadre.cli.client import reported
from rocamadre.cli.exits import CommandFailed, Exit
from rocamadre.cli.kb_api import KnowledgeApi
from rocamadre.cli.output import print_table
from rocamadre.cli.session import Session, print_json, with_json
from rocamadre.knowledge.evaluation import (
    AnswerScores,
    Interval,
    Judged,
    RetrievalReport,
    answer_scores,
    interval,
    retrieval_report,
)

_MOST_RESULTS = 50
_SCORES = ("context_precision", "context_recall", "faithfulness", "answer_relevance")


class Line(msgspec.Struct, forbid_unknown_fields=True):
    """A line of the file of questions.

    Attributes:
        documents: Ids, or ends of ids, of the documents that hold the answer; or each with its grade.
        answer: A right one; the knowledge base is then asked to answer, too.
        language: `en`, `es`, `pt`; figures are given for each.
    """

    question: str
    documents: list[str] | dict[str, float] = []
    answer: str = ""
    language: str = ""


@click.command("eval")
@click.argument("name")
@click.argument("questions", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--answers", is_flag=True, help="Let it answer each question, and judge the answers, too.")
@with_json
@click.pass_obj
def evaluate(session: Session, /, name: str, questions: Path, answers: bool, as_json: bool) -> None:
    """Say how well it finds what it should: recall, nDCG, MRR, with confidence intervals, by language.

    QUESTIONS is a file of JSON lines: {"question": "…", "documents": ["report.pdf"], "answer": "…", "language": "en"}.
    A document is named by its id or the end of it; `answer` and `language` may be left out.

    \b
    Examples:
      roca kb eval handbook questions.jsonl
      roca kb eval handbook questions.jsonl --answers --json
    """
    api, lines = KnowledgeApi(session), list(_read(questions))
    base = api.find(name)
    found = [_found(api, base["id"], line.question) for line in lines]
    judged = [(line, results) for line, results in zip(lines, found, strict=True) if line.documents]
    facts: dict[str, Any] = {"questions": len(lines)}
    report = None
    if judged:
        wanted = [Judged(line.question, _grades(line, results), line.language) for line, results in judged]
        report = retrieval_report(wanted, [_documents(results) for _, results in judged])
        facts["retrieval"] = _as_json(report)
    scores = [_answered(api, base, line) for line in lines] if answers else []
    if scores:
        facts["answers"] = {name: _interval(each) for name, each in _columns(scores).items()}
    if as_json:
        print_json(facts)
        return
    if report:
        _show(report)
    if scores:
        click.echo()
        rows = [(name.replace("_", " "), *_figures(interval(each))) for name, each in _columns(scores).items()]
        print_table(("answers", "mean", "95 % from", "to"), rows)


def _read(path: Path) -> Iterator[Line]:
    for number, text in enumerate(path.read_text("utf-8").splitlines(), 1):
        if not text.strip():
            continue
        try:
            yield msgspec.json.decode(text, type=Line)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise CommandFailed(f"{path}, line {number}: {error}", Exit.USAGE) from error


def _found(api: KnowledgeApi, base_id: str, question: str) -> list[dict[str, Any]]:
    with reported():
        answer = api.runtime({}).retrieve(
            knowledgeBaseId=base_id,
            retrievalQuery={"text": question},
            retrievalConfiguration={"vectorSearchConfiguration": {"numberOfResults": _MOST_RESULTS}},
        )
    results: list[dict[str, Any]] = answer["retrievalResults"]
    return results


def _documents(results: Sequence[Mapping[str, Any]]) -> list[str]:
    """Documents in the order in which their first chunks were found."""
    return list(dict.fromkeys(str(each["metadata"]["x-amz-bedrock-kb-source-uri"]) for each in results))


def _grades(line: Line, results: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Grades by document id; what was not found keeps the name that the file gives it."""
    given = line.documents if isinstance(line.documents, dict) else dict.fromkeys(line.documents, 1.0)
    known = _documents(results)
    return {
        next((each for each in known if each == name or each.endswith(f"/{name}")), name): grade
        for name, grade in given.items()
    }


def _answered(api: KnowledgeApi, base: Mapping[str, Any], line: Line) -> AnswerScores:
    with reported():
        answer = api.runtime({}).retrieve_and_generate(
            input={"text": line.question},
            retrieveAndGenerateConfiguration={
                "type": "KNOWLEDGE_BASE",
                "knowledgeBaseConfiguration": {
                    "knowledgeBaseId": base["id"],
                    "modelArn": api.foundation_model("amazon.nova-lite-v1:0"),
                },
            },
        )
    contexts = [each["content"].get("text", "") for each in _found(api, base["id"], line.question)[:10]]

    def embed(texts: Sequence[str]) -> NDArray[np.float32]:
        rows = api.post(
            "/v1/embeddings", {"model": base["embedder"], "input": list(texts), "encoding_format": "base64"}
        )
        whole = b"".join(base64.b64decode(row["embedding"]) for row in rows["data"])
        return np.frombuffer(whole, "<f4").reshape(len(texts), -1)

    return answer_scores(line.question, answer["output"]["text"], contexts, embed, expected=line.answer)


def _columns(scores: Sequence[AnswerScores]) -> dict[str, list[float]]:
    columns = {name: [getattr(each, name) for each in scores if getattr(each, name) is not None] for name in _SCORES}
    return {name: column for name, column in columns.items() if column}


def _show(report: RetrievalReport) -> None:
    rows = [("all", report.questions, name, *_figures(each)) for name, each in report.figures.items()]
    if len(report.by_language) > 1:
        for language, (count, figures) in report.by_language.items():
            rows += [(language or "other", count, name, *_figures(each)) for name, each in figures.items()]
    print_table(("questions", "count", "figure", "mean", "95 % from", "to"), rows)


def _figures(each: Interval) -> tuple[str, str, str]:
    return f"{each.mean:.3f}", f"{each.low:.3f}", f"{each.high:.3f}"


def _interval(values: Sequence[float]) -> dict[str, float]:
    return interval(values)._asdict()


def _as_json(report: RetrievalReport) -> dict[str, Any]:
    return {
        "questions": report.questions,
        "figures": {name: each._asdict() for name, each in report.figures.items()},
        "by_language": {
            language: {"questions": count, "figures": {name: each._asdict() for name, each in figures.items()}}
            for language, (count, figures) in report.by_language.items()
        },
    }
