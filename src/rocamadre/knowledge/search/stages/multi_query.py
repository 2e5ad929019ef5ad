"""The query in other words, by a model: each wording is looked for, too.

`multi-query` gives a chunk the best score that any wording gives it; `rag-fusion` adds up reciprocal ranks over the
wordings, so that what many of them find comes first.

Source of RAG-fusion: Rackauckas 2024, arXiv:2402.03367.
"""

from __future__ import annotations

import re

from rocamadre.knowledge.search.stages.analyse import question_of
from rocamadre.knowledge.search.state import State

PROMPT = """Write {count} other ways to ask the question, one a line, in its language. Write nothing else.

Question: {question}
"""
_NUMBER = re.compile(r"^\s*(?:[-*•]|\(?\d+[.):])\s*")


def multi_query(state: State) -> None:
    """Add wordings; the fusion takes each chunk's best score."""
    _add(state, "multi-query")


def rag_fusion(state: State) -> None:
    """Add wordings; the fusion adds up reciprocal ranks."""
    _add(state, "rag-fusion")


def _add(state: State, origin: str) -> None:
    answer = state.asked(PROMPT.format(count=state.settings.variants, question=state.query.text), origin)
    wordings = lines_of(answer, most=state.settings.variants, without=state.query.text)
    state.questions += [question_of(state, wording, origin) for wording in wordings]
    state.facts["queries"] = wordings


def lines_of(answer: str, *, most: int, without: str) -> list[str]:
    r"""What a model listed, without numbers, bullets, repeats and the question itself.

    >>> lines_of("1. Who is it?\n- Who is it?\n\n2) And why?", most=3, without="Who?")
    ['Who is it?', 'And why?']
    """
    seen, found = {without.strip().casefold()}, []
    for line in answer.splitlines():
        text = _NUMBER.sub("", line).strip()
        if text and text.casefold() not in seen:
            seen.add(text.casefold())
            found.append(text)
    return found[:most]
