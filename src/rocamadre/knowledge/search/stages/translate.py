"""The query's words in the other languages of the knowledge base."""

from __future__ import annotations

from rocamadre.knowledge.languages import analyse
from rocamadre.knowledge.languages.lexicon import translations
from rocamadre.knowledge.search.state import Question, State

LEAST_SHARE = 0.02
"""Of the chunks: a language with fewer is not translated into."""


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
    found: dict[str, float] = {}
    for term, weight in question.terms.items():
        for translation, probability in translations(term, question.language, language):
            found[translation] = max(found.get(translation, 0.0), weight * probability)
    for term in analyse(question.text, language):
        found.setdefault(term, 1.0)
    return {term: weight for term, weight in found.items() if term not in question.terms}
