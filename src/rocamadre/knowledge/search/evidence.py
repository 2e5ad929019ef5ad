"""All that is known about the candidates of a question: what one list does not say of them is looked up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from rocamadre.knowledge.languages import analyse
from rocamadre.knowledge.search.concepts import NOTHING, Concepts, Reading, concepts_of
from rocamadre.knowledge.search.rules import Evidence
from rocamadre.knowledge.search.stages.lexical import K1, B
from rocamadre.knowledge.search.state import Question, State


def concepts_in(state: State, question: Question) -> Concepts:
    """The question's terms put together, with how rare they are in this store."""
    own = [term for term in analyse(question.text, question.language) if term in question.terms]
    names = sorted({*question.terms, *(each for others in question.same.values() for each in others)})
    return concepts_of(own, question.terms, question.same, state.store.term_counts(names), state.store.count())


def gather(state: State, question: Question, ids: list[str]) -> tuple[Evidence, dict[str, Reading]]:
    """Evidence on candidates, in the order of `ids`, and how each of them was read."""
    place = {each: index for index, each in enumerate(ids)}
    lexical, cosine = np.zeros(len(ids)), np.zeros(len(ids))
    lexical_rank, vector_rank = np.zeros(len(ids), np.int64), np.zeros(len(ids), np.int64)
    for rank, item in enumerate(question.lexical, 1):
        lexical[place[item.id]], lexical_rank[place[item.id]] = item.score, rank
    for rank, item in enumerate(question.vectors, 1):
        cosine[place[item.id]], vector_rank[place[item.id]] = item.score, rank
    # The list's are of the first embedder alone.
    unknown = ids if question.share else [each for each in ids if not vector_rank[place[each]]]
    for each, value in cosines(state, question, unknown).items():
        cosine[place[each]] = value
    concepts = concepts_in(state, question)
    readings = read_all(state, concepts, ids)
    columns = np.array([readings.get(each, NOTHING) for each in ids], np.float64).reshape(len(ids), 4)
    most = concepts.most * (K1 + 1)
    listed = lexical_rank > 0
    share = np.where(listed, np.clip(lexical / most, 0.0, 1.0) if most else 0.0, columns[:, 0])
    evidence = Evidence(
        lexical=np.where(listed, lexical, share * most),
        lexical_share=share,
        cosine=cosine,
        near=columns[:, 1],
        pairs=columns[:, 2],
        lexical_rank=lexical_rank,
        vector_rank=vector_rank,
        language=question.language,
        trust=state.trust(question.language),
        vector_weight=state.settings.vector_weight,
        rank_offset=state.settings.rank_offset,
    )
    return evidence, readings


def read_all(state: State, concepts: Concepts, ids: list[str]) -> dict[str, Reading]:
    """Read candidates' terms."""
    terms = state.terms(ids)
    mean = mean_length(terms)
    return {each: concepts.read(words, mean_length=mean, k1=K1, b=B) for each, words in terms.items()}


def mean_length(terms: Mapping[str, Sequence[str]]) -> float:
    """Of the candidates; it stands for that of all chunks, of which a store does not tell."""
    return sum(map(len, terms.values())) / len(terms) if terms else 1.0


def cosines(state: State, question: Question, ids: list[str]) -> dict[str, float]:
    """Of chunks with the question, by both embedders where there are two; parents have none."""
    if question.vector is None:
        return {}
    return {
        each: float(np.dot(chunk.embedding, question.vector))
        for each, chunk in state.chunks(ids).items()
        if chunk.embedding is not None
    }
