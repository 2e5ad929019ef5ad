"""A question that asks for several things, as several questions."""

from __future__ import annotations

from rocamadre.knowledge.search.stages.analyse import question_of
from rocamadre.knowledge.search.stages.multi_query import lines_of
from rocamadre.knowledge.search.state import State

PROMPT = """If the question asks for several things, write each of them as a question of its own, one a line, in its \
language. If it asks for one thing, repeat it. Write nothing else.

Question: {question}
"""


def decompose(state: State) -> None:
    """Add the parts of the question; the fusion takes turns between them, so that each part has its results."""
    answer = state.asked(PROMPT.format(question=state.query.text), "decompose")
    parts = lines_of(answer, most=max(2, state.settings.variants), without=state.query.text)
    if len(parts) > 1:
        state.questions += [question_of(state, part, "decompose") for part in parts]
    state.facts["queries"] = parts if len(parts) > 1 else []
