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
    added: dict[str, dict[str, float]] = {}
    total = sum(state.languages.values())
    for question in state.questions:
        others = [
            language
            for language, count in sorted(state.languages.items())
            if language not in ("", question.language) and count >= LEAST_SHARE * total
        ]
        own = dict(question.terms)
        for language in others:
            for term, found in _into(question, own, language).items():
                question.same.setdefault(term, set()).update(found)
                for other, weight in found.items():
                    if weight > question.terms.get(other, 0.0):
                        question.terms[other] = weight
                        added.setdefault(language, {})[other] = round(weight, 3)
    state.facts["added"] = {language: dict(sorted(found.items())) for language, found in added.items()}


def _into(question: Question, own: dict[str, float], language: str) -> dict[str, dict[str, float]]:
    """By own term, what it may be in another language, with weights.

    A translation that is a little probable weighs nearly as much as a sure one (the fourth root): measured better than
    the probability itself, since of several translations a chunk mostly holds one.
    """
    found: dict[str, dict[str, float]] = {}
    for word in words_of(question.text):
        term = term_of(word, question.language)
        if term not in own:
            continue
        here = found.setdefault(term, {})
        if same := term_of(word, language):
            here[same] = own[term]
        for translation, probability in translations(term, question.language, language):
            here[translation] = max(here.get(translation, 0.0), own[term] * probability**ROOT)
    return found
