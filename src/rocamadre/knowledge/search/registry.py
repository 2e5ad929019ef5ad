"""The stages of a search by name; plugins register under the entry point group `rocamadre.search stage`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from rocamadre.core.registry import Registry
from rocamadre.knowledge.search.state import State

SearchStage: TypeAlias = Callable[[State], None]
"""Changes the state it is given; what it found, moved and dropped is seen by comparing before and after."""

_STAGES = "rocamadre.knowledge.search.stages"
STAGES: Registry[SearchStage] = Registry(
    "search stage",
    {
        "analyse": f"{_STAGES}.analyse:analyse_query",
        "decompose": f"{_STAGES}.decompose:decompose",
        "multi-query": f"{_STAGES}.multi_query:multi_query",
        "rag-fusion": f"{_STAGES}.multi_query:rag_fusion",
        "hyde": f"{_STAGES}.hyde:hyde",
        "translate": f"{_STAGES}.translate:translate",
        "lexical": f"{_STAGES}.lexical:lexical",
        "vectors": f"{_STAGES}.vectors:vectors",
        "second-vectors": f"{_STAGES}.vectors:second_vectors",
        "fusion": f"{_STAGES}.fusion:fusion",
        "feedback": f"{_STAGES}.feedback:feedback",
        "neighbours": f"{_STAGES}.neighbours:neighbours",
        "graph": "rocamadre.knowledge.graph.expansion:expand",
        "late": f"{_STAGES}.late:late",
        "rerank": f"{_STAGES}.rerank:rerank",
        "mmr": f"{_STAGES}.mmr:mmr",
        "parents": f"{_STAGES}.parents:parents",
        "cut": f"{_STAGES}.cut:cut",
    },
)
