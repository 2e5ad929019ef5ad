"""One ranking of what words and vectors found."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np

from rocamadre.knowledge.search.rules import RULES, Evidence, in_turns, merged_ranks
from rocamadre.knowledge.search.stages.lexical import K1
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


def _of_question(state: State, question: Question) -> tuple[dict[str, float], dict[str, object]]:
    if state.query.search_type == "SEMANTIC":
        scores = {item.id: max(0.0, item.score) for item in question.vectors}
        for item in question.vectors:
            state.parts.setdefault(item.id, {})["vector"] = item.score
        return scores, {}
    ids = list(dict.fromkeys(item.id for item in (*question.lexical, *question.vectors)))
    if not ids:
        return {}, {}
    evidence = _evidence(state, question, ids)
    fused = RULES.load(state.settings.fusion)(evidence)
    if question is state.questions[0] or len(state.questions) == 1:
        for place, each in enumerate(ids):
            part = state.parts.setdefault(each, {})
            part["lexical"] = float(evidence.lexical[place])
            part["vector"] = float(evidence.cosine[place])
    return dict(zip(ids, map(float, fused.scores), strict=True)), fused.facts


def _evidence(state: State, question: Question, ids: list[str]) -> Evidence:
    """Both scores of every candidate; what only one list found is looked up for the other."""
    place = {each: index for index, each in enumerate(ids)}
    lexical, cosine = np.zeros(len(ids)), np.zeros(len(ids))
    lexical_rank, vector_rank = np.zeros(len(ids), np.int64), np.zeros(len(ids), np.int64)
    for rank, item in enumerate(question.lexical, 1):
        lexical[place[item.id]], lexical_rank[place[item.id]] = item.score, rank
    for rank, item in enumerate(question.vectors, 1):
        cosine[place[item.id]], vector_rank[place[item.id]] = item.score, rank
    unranked = [each for each in ids if not vector_rank[place[each]]]
    if question.vector is not None and unranked:
        for each, chunk in state.chunks(unranked).items():
            if chunk.embedding is not None:
                cosine[place[each]] = float(np.dot(chunk.embedding, question.vector))
    counts = state.store.term_counts(sorted(question.terms))
    total = state.store.count()
    most = sum(
        weight * math.log(1 + (total - counts[term] + 0.5) / (counts[term] + 0.5)) * (K1 + 1)
        for term, weight in question.terms.items()
    )
    return Evidence(
        lexical=lexical,
        cosine=cosine,
        lexical_rank=lexical_rank,
        vector_rank=vector_rank,
        most_lexical=most,
        language=question.language,
        trust=state.trust(question.language),
        vector_weight=state.settings.vector_weight,
        rank_offset=state.settings.rank_offset,
    )


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
