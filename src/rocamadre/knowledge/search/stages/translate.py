"""The query's words in the other languages of the knowledge base."""

from __future__ import annotations

from rocamadre.knowledge.languages.analysis import term_of, words_of
from rocamadre.knowledge.languages.lexicon import translations
from rocamadre.knowledge.search.state import Question, State

LEAST_SHARE = 0.02
"""Of the chunks: a language with fewer is not translated into."""
ROOT = 0.25


def translate(state: State) -> None:
    """Add translations of the terms, and the terms as the other language's analyser makes them (names, numbers)."""
    if state.query.search_type == "SEMANTIC":
        return
    added = {}
    total = sum(state.languages.values())
    for question in state.questions:
        others = [
            language
            for language, count in sorted(state.languages.items())
            if language not in ("", question.language) and count >= LEAST_SHARE * total
        ]
        for language in others:
            found = _into(question, language)
            for term, weight in found.items():
                question.terms[term] = max(weight, question.terms.get(term, 0.0))
            added[language] = {term: round(weight, 3) for term, weight in sorted(found.items())}
    state.facts["added"] = added


def _into(question: Question, language: str) -> dict[str, float]:
    """Terms in another language with their weights.

    A translation that is a little probable weighs nearly as much as a sure one (the fourth root): measured better than
    the probability itself, since of several translations a chunk mostly holds one.
    """
    found: dict[str, float] = {}
    for word in words_of(question.text):
        term = term_of(word, question.language)
        if term not in question.terms:
            continue
        if same := term_of(word, language):
            found[same] = max(found.get(same, 0.0), question.terms[term])
        for translation, probability in translations(term, question.language, language):
            weight = question.terms[term] * probability**ROOT
            found[translation] = max(found.get(translation, 0.0), weight)
    return {term: weight for term, weight in found.items() if weight > question.terms.get(term, 0.0)}
