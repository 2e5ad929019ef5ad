"""One ranking of what words and vectors found."""

from __future__ import annotations

from collections import Counter
from typing import Any

from rocamadre.knowledge.search.evidence import cosines, gather
from rocamadre.knowledge.search.rules import RULES, in_turns, merged_ranks
from rocamadre.knowledge.search.state import Question, State
from rocamadre.knowledge.search.types import Scored


def fusion(state: State) -> None:
    """Rank the candidates of each question, then put the questions' rankings together."""
    facts = []
    rankings: list[tuple[Question, dict[str, float]]] = []
    for question in state.questions:
        scores, decided = _of_question(state, question)
        rankings.append((question, dict(sorted(scores.items(), key=lambda item: (-item[1], item[0])))))
        facts.append({"query": question.text, "origin": question.origin, **decided})
    merged = _together(state, rankings)
    state.ranking = [Scored(each, min(1.0, max(0.0, score))) for each, score in merged.items()]
    state.facts["rule"] = "vectors" if state.query.search_type == "SEMANTIC" else state.settings.fusion
    state.facts["decided"] = facts


def _of_question(state: State, question: Question) -> tuple[dict[str, float], dict[str, Any]]:
    if state.query.search_type == "SEMANTIC":
        found = {item.id: item.score for item in (*question.vectors, *question.second)}
        if question.share:
            found = cosines(state, question, list(found))
        for each, score in found.items():
            state.parts.setdefault(each, {})["vector"] = score
        return {each: max(0.0, score) for each, score in found.items()}, {}
    ids = list(dict.fromkeys(item.id for item in (*question.lexical, *question.vectors, *question.second)))
    if not ids:
        return {}, {}
    evidence, readings = gather(state, question, ids)
    fused = RULES.load(state.settings.fusion)(evidence)
    if question is state.questions[0]:
        state.weight, state.doubt = fused.weight, float(fused.facts.get("doubt", 0.0))
        for place, each in enumerate(ids):
            part = state.parts.setdefault(each, {})
            part["lexical"], part["vector"] = float(evidence.lexical_share[place]), float(evidence.cosine[place])
            part["near"], part["pairs"] = float(evidence.near[place]), float(evidence.pairs[place])
            part["coverage"] = readings[each].coverage if each in readings else 0.0
    return dict(zip(ids, map(float, fused.scores), strict=True)), fused.facts


def _together(state: State, rankings: list[tuple[Question, dict[str, float]]]) -> dict[str, float]:
    if len(rankings) == 1:
        return rankings[0][1]
    origins = Counter(question.origin for question, _ in rankings)
    every = [ranking for _, ranking in rankings]
    if origins["decompose"]:
        return in_turns([ranking for question, ranking in rankings if question.origin != "query"])
    if origins["rag-fusion"]:
        merged = merged_ranks([list(ranking) for ranking in every], offset=state.settings.rank_offset)
    else:
        merged = {}
        for ranking in every:
            for each, score in ranking.items():
                merged[each] = max(score, merged.get(each, 0.0))
    return dict(sorted(merged.items(), key=lambda item: (-item[1], item[0])))
