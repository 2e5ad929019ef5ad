"""Documents are analysed in several threads at a time; each word has one stem."""

from __future__ import annotations

import random
import sys
from concurrent.futures import ThreadPoolExecutor

from rocamadre.knowledge.languages.analysis import term_of

ENDINGS = ("aciones", "amente", "arían", "ismos", "idades", "ações", "mente", "ando", "ável", "idade", "ing", "ously")


def test_stems_are_the_same_in_threads():
    chance = random.Random(3)
    letters = "bcdfglmnprst"
    words = [
        "".join(chance.choice(letters) + chance.choice("aeiou") for _ in range(3)) + chance.choice(ENDINGS)
        for _ in range(3000)
    ]

    def stems(language):
        return [term_of.__wrapped__(word, language) for word in words]

    alone = {language: stems(language) for language in ("es", "pt", "en")}
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        with ThreadPoolExecutor(6) as pool:
            together = list(
                pool.map(lambda language: (language, stems(language)), ["pt", "pt", "es", "es", "en", "pt"])
            )
    finally:
        sys.setswitchinterval(before)
    assert all(found == alone[language] for language, found in together)
