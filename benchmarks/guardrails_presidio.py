"""Presidio's pattern recognisers on a blank pipeline: reads questions as JSON, writes what it finds and how fast.

Started by benchmarks/guardrails_pii.py in the environment `.venv-presidio`; imports nothing of Rocamadre.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from importlib.metadata import version
from typing import Any


def main() -> None:
    asked = json.load(sys.stdin)
    analyse = analyser(asked["map"])
    found = [analyse(language, text) for language, text in asked["rows"]]
    for text in asked["texts"][:20]:
        analyse("en", text)
    taken = []
    started = time.process_time()
    while time.process_time() - started < asked["seconds"]:
        for text in asked["texts"]:
            before = time.process_time()
            analyse("en", text)
            taken.append((time.process_time() - before) * 1000)
    taken.sort()
    speed = {
        "texts_per_s": round(1000 * len(taken) / sum(taken), 1),
        "p50_ms": round(statistics.median(taken), 3),
        "p99_ms": round(taken[int(0.99 * len(taken))], 3),
        "texts": len(taken),
    }
    json.dump({"found": found, "speed": speed, "version": version("presidio-analyzer")}, sys.stdout)


def analyser(names: dict[str, str]) -> Any:
    """An engine with the pattern recognisers that Presidio loads by itself, for three languages."""
    import spacy
    import tldextract
    from presidio_analyzer import AnalyzerEngine, RecognizerRegistry
    from presidio_analyzer.nlp_engine import SpacyNlpEngine

    # With its own copy of the list of suffixes: asking the network for it at every address would be no fair measure.
    tldextract.extract = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)

    class Blank(SpacyNlpEngine):  # type: ignore[misc]
        """Tokens only, no model: the recognisers of names do not run."""

        def __init__(self) -> None:
            super().__init__(models=[{"lang_code": each, "model_name": f"blank-{each}"} for each in ("en", "es", "pt")])
            self.nlp = {each: spacy.blank(each) for each in ("en", "es", "pt")}

        def load(self) -> None:
            """Nothing to load."""

    registry = RecognizerRegistry(supported_languages=["en", "es", "pt"])
    registry.load_predefined_recognizers(languages=["en", "es", "pt"])
    engine = AnalyzerEngine(registry=registry, nlp_engine=Blank(), supported_languages=["en", "es", "pt"])
    has = {
        language: {
            each
            for one in registry.recognizers
            if one.supported_language == language
            for each in one.supported_entities
        }
        for language in ("en", "es", "pt")
    }
    asked = {language: sorted(set(names) & kinds) for language, kinds in has.items()}

    def analyse(language: str, text: str) -> list[tuple[str, int, int]]:
        if not asked[language]:
            return []
        results = engine.analyze(text, language=language, entities=asked[language])
        return [(names[each.entity_type], each.start, each.end) for each in results]

    return analyse


if __name__ == "__main__":
    main()
