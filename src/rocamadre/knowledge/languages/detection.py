"""Which of the languages that have an analyser a text is in."""

from __future__ import annotations

from rocamadre.datasets.languages import OTHER, detect_language


def detect(text: str) -> str:
    """`en`, `es` or `pt`; empty where the text is in another language or too little says which.

    >>> detect("Where is the nearest station?"), detect("¿Dónde está la estación?"), detect("42")
    ('en', 'es', '')
    """
    found = detect_language(text)
    return "" if found == OTHER else found
