"""The default fusion: a weighted mean of parts that all lie in [0, 1] for any chunk of any knowledge base.

- `lexical`: BM25 against the most that it could be for this question;
- `vector`: the cosine, as it is. An embedder that does not know a language gives all its texts much the same cosine, so
  its say falls by itself: over the best hundred, MiniLM's cosines spread by 0.41 in English, 0.19 in Spanish. Stretched
  to 0 … 1, as is usual, that noise would weigh as much as knowledge. Of two embedders' cosines it is the mean, by
  `embedders.second_share`;
- `near` and `pairs`: whether the question's words stand together, and in its order;
- reciprocal ranks of both lists, as far as there is doubt. Where one chunk holds the words far better than the tenth
  does, words decide; where ten fit alike, the lists vote. Only as far as the embedder is trusted in the language: ranks
  have no spread that would tell.

The weights were chosen on the development half of the judged sets' questions, one setting for all of them, by what the
worst set can be relied on to gain (the least lower confidence bound); `benchmarks/retrieval.py` reports the other half.
roca-embed has learned from that half: what belongs to the second embedder was chosen with one taught without half of
its articles, on questions about these.
"""

from __future__ import annotations

import numpy as np

from rocamadre.knowledge.search.rules import Column, Evidence, Fused

LEXICAL = 1.0
VECTOR = 1.25
NEAR = 0.9
PAIRS = 0.7
RANKS = 0.8
OFFSET = 10
SURE = 0.65
"""How far the first of the lexical list is ahead of the tenth, in parts of its own score, where nothing is in doubt."""
LOST = 0.25
"""The same where everything is."""


def adaptive(evidence: Evidence) -> Fused:
    """Mean of the parts, by the weights above; ranks by the cube of the doubt."""
    vote = RANKS * doubt(evidence.lexical) ** 3 * evidence.trust
    scores = (
        LEXICAL * evidence.lexical_share
        + VECTOR * np.maximum(evidence.cosine, 0.0)
        + NEAR * evidence.near
        + PAIRS * evidence.pairs
    )
    for ranks in (evidence.lexical_rank, evidence.vector_rank):
        listed = ranks > 0
        scores[listed] += vote * (OFFSET + 1) / (OFFSET + ranks[listed])
    weights = {"lexical": LEXICAL, "vector": VECTOR, "near": NEAR, "pairs": PAIRS, "ranks": 2 * vote}
    total = sum(weights.values())
    facts = {
        "weights": {name: round(weight / total, 4) for name, weight in weights.items()},
        "doubt": round(doubt(evidence.lexical), 4),
        "trust": evidence.trust,
    }
    return Fused(np.clip(scores / total, 0.0, 1.0), facts, total)


def doubt(lexical: Column) -> float:
    """How little the best chunk stands out of the lexical list, 0 to 1; 1 where nothing was found.

    >>> doubt(np.array([10.0, 1.0, 0.0])), doubt(np.full(20, 3.0)), round(doubt(np.linspace(10, 5, 10)), 3)
    (0.0, 1.0, 0.375)
    """
    best = np.sort(lexical)[::-1][:10]
    if not len(best) or best[0] <= 0:
        return 1.0
    ahead = float((best[0] - best[-1]) / best[0])
    return min(1.0, max(0.0, (SURE - ahead) / (SURE - LOST)))
