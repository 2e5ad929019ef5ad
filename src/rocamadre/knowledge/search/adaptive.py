"""The default fusion: weights that follow the language and how sure each part is."""

from __future__ import annotations

import numpy as np

from rocamadre.knowledge.search.rules import Evidence, Fused, stretched


def adaptive(evidence: Evidence) -> Fused:
    """Both scores, the vectors' share by how good the embedder is in this language."""
    share = 0.4 * evidence.trust
    lexical = evidence.lexical / evidence.lexical.max() if evidence.lexical.any() else evidence.lexical
    scores = (1 - share) * lexical + share * stretched(evidence.cosine)
    return Fused(np.clip(scores, 0, 1), {"vector_weight": round(share, 4)})
