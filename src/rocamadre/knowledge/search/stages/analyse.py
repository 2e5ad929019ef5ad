"""What language a query is in, and its terms."""

from __future__ import annotations

from collections import Counter

from rocamadre.knowledge.languages import analyse, detect
from rocamadre.knowledge.search.state import Question, State


def analyse_query(state: State) -> None:
    """Settle the language and take the query's terms."""
    state.languages = state.store.languages()
    detected = state.query.language or detect(state.query.text)
    state.questions.append(question_of(state, state.query.text, "query"))
    state.facts["language"] = state.questions[0].language
    if detected != state.questions[0].language:
        state.facts["detected"] = detected
    state.facts["chunks_by_language"] = state.languages
    state.facts["terms"] = sorted(state.questions[0].terms)


def question_of(state: State, text: str, origin: str) -> Question:
    """A question with its language and terms.

    A text too short to tell is taken for what most chunks are in, if that is a language we know.
    """
    language = state.query.language or detect(text)
    if not language and state.languages:
        language = max(sorted(state.languages), key=lambda each: state.languages[each])
    counts = Counter(analyse(text, language))
    return Question(text, origin, language=language, terms={term: float(count) for term, count in counts.items()})
