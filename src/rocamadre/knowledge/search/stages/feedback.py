"""What the best chunks have in common, looked for in the other candidates.

Pseudo-relevance feedback (Rocchio 1971; Lavrenko & Croft, SIGIR 2001) within the candidates: nothing new is fetched.
The best chunks' most telling terms count as far as the question's own words leave open what is meant, that is, as far
as the best chunk does not hold them. What their vectors have in common is the stage `neighbours`.
"""

from __future__ import annotations

from collections import Counter

from rocamadre.knowledge.search.concepts import concepts_of, rarity_of
from rocamadre.knowledge.search.evidence import mean_length
from rocamadre.knowledge.search.stages.lexical import K1, B
from rocamadre.knowledge.search.state import State
from rocamadre.knowledge.search.types import Scored

WORDS_FROM = 3
TERMS = 20
WORDS = 1.0
COUNTED = 60
"""Terms whose frequency is asked of the store."""
DEPTH = 60
"""Candidates that are looked at again; those below get nothing, which moves none of them up."""
LONGEST = 2000
"""Terms of a chunk that are looked at."""
CROWD = 200
"""Chunks of a knowledge base from which the best few have more in common than chance; in a handful, any three are."""


def is_skipped(state: State) -> bool:
    """Whether the ranking is left as the fusion made it; the reason is noted."""
    if state.query.search_type == "SEMANTIC" or state.settings.fusion != "adaptive":
        state.facts["skipped"] = "only the adaptive fusion knows how much is in doubt"
    elif state.store.count() < CROWD:
        state.facts["skipped"] = f"fewer than {CROWD} chunks"
    return "skipped" in state.facts


def feedback(state: State) -> None:
    """Rank the candidates again, with the best ones' terms among the parts."""
    if is_skipped(state):
        return
    ids = [item.id for item in state.ranking[: max(DEPTH, state.query.limit)]]
    chunks = state.chunks(ids)
    best = [chunks[each] for each in ids if each in chunks]
    if len(best) <= 1:
        return
    open_share = 1.0 - state.parts.get(ids[0], {}).get("coverage", 0.0)
    words, terms = _words(state, [chunk.id for chunk in best[:WORDS_FROM]], ids)
    weight = WORDS * open_share
    total = state.weight + weight
    scored = []
    for item in state.ranking:
        alike = words.get(item.id, 0.0)
        if item.id in words:
            state.parts.setdefault(item.id, {})["feedback"] = alike
        scored.append(Scored(item.id, min(1.0, (state.weight * item.score + weight * alike) / total)))
    state.ranking = sorted(scored, key=lambda item: (-item.score, item.id))
    state.facts |= {
        "terms": terms,
        "weights": {"words": round(weight / total, 4)},
        "from": [chunk.id for chunk in best[:WORDS_FROM]],
    }


def _words(state: State, best: list[str], ids: list[str]) -> tuple[dict[str, float], list[str]]:
    """BM25 of the best chunks' most telling terms against the most it could be, per candidate."""
    lists = state.terms(ids)
    sets = {each: set(terms) for each, terms in lists.items()}
    shares: dict[str, float] = {}
    for each in best:
        terms = lists[each][:LONGEST]
        for term, count in Counter(terms).items():
            shares[term] = shares.get(term, 0.0) + count / len(terms)
    # Only terms that might be among the most telling are counted in the store.
    common = Counter(term for terms in sets.values() for term in terms & shares.keys())
    asked = sorted(shares, key=lambda term: (-shares[term] * rarity_of(common[term], len(sets)), term))[:COUNTED]
    counts, total = state.store.term_counts(asked), state.store.count()
    telling = {term: shares[term] * rarity_of(counts[term], total) for term in asked}
    picked = sorted(telling, key=lambda term: (-telling[term], term))[:TERMS]
    concepts = concepts_of(picked, {term: telling[term] for term in picked}, {}, counts, total)
    wanted, mean = set(picked), mean_length(lists)
    found = {}
    for each, terms in lists.items():
        there = sets[each] & wanted
        held = [term for term in terms if term in there] if there else []
        found[each] = concepts.lexical(held, len(terms), mean_length=mean, k1=K1, b=B)
    return found, picked
