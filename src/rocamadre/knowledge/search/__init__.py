"""Finding chunks: words and vectors, fused so that the weaker part cannot spoil the better."""

from rocamadre.knowledge.search.pipeline import search
from rocamadre.knowledge.search.types import Query, Result, Results, SearchSettings, Stage

__all__ = ["Query", "Result", "Results", "SearchSettings", "Stage", "search"]
