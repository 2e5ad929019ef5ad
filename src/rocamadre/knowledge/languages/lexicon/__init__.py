"""Which terms of two languages stand for each other; learned by `models/lexicon/recipe/learn.py`."""

from rocamadre.knowledge.languages.lexicon.table import FOLDER, PAIRS, pack, translations, unpack

__all__ = ["FOLDER", "PAIRS", "pack", "translations", "unpack"]
