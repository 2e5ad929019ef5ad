"""An answer made up by a model, looked for in the question's stead.

Source: Gao et al. 2023, "Precise Zero-Shot Dense Retrieval without Relevance Labels" (HyDE).
"""

from __future__ import annotations

from rocamadre.knowledge.search.state import State

PROMPT = """Write one short paragraph that could stand in a document and answers the question, in its language.

Question: {question}

Paragraph:"""


def hyde(state: State) -> None:
    """Embed each question together with a passage that might answer it; words are still taken from the question."""
    for question in state.questions:
        passage = state.asked(PROMPT.format(question=question.text), "hyde").strip()
        if passage:
            question.passage = f"{question.text}\n{passage}"
    state.facts["passages"] = [question.passage for question in state.questions]
