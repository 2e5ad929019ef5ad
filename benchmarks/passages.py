"""Passages for the embedding benchmark: made from a fixed grammar, so that nothing needs to be shipped or fetched."""

from __future__ import annotations

import random

_SENTENCES = {
    "en": (
        ("The river", "A small library", "The old engine", "Our neighbour", "The committee"),
        ("crosses", "explains", "repairs", "describes", "measures"),
        ("the valley before sunrise", "how rocks are formed", "what the visitors forgot", "a bridge of grey stone"),
    ),
    "es": (
        ("El río", "Una biblioteca pequeña", "El viejo motor", "Nuestra vecina", "El comité"),
        ("cruza", "explica", "repara", "describe", "mide"),
        ("el valle antes del amanecer", "cómo se forman las rocas", "lo que olvidaron", "un puente de piedra gris"),
    ),
    "pt": (
        ("O rio", "Uma biblioteca pequena", "O velho motor", "Nossa vizinha", "O comitê"),
        ("atravessa", "explica", "conserta", "descreve", "mede"),
        ("o vale antes do amanhecer", "como se formam as rochas", "o que esqueceram", "uma ponte de pedra cinza"),
    ),
}


def passages(count: int, *, seed: int = 7) -> list[str]:
    """Texts of 1 to 14 sentences in English, Spanish and Portuguese, some 15 to 200 tokens each."""
    random_source = random.Random(seed)
    result = []
    for index in range(count):
        subjects, verbs, objects = _SENTENCES[("en", "es", "pt")[index % 3]]
        sentences = [
            f"{random_source.choice(subjects)} {random_source.choice(verbs)} {random_source.choice(objects)} "
            f"({random_source.randint(1, 9999)})."
            for _ in range(random_source.randint(1, 14))
        ]
        result.append(" ".join(sentences))
    return result
