"""What language a text is in, and the words of a text as the lexical index knows them."""

from rocamadre.knowledge.languages.analysis import analyse
from rocamadre.knowledge.languages.detection import detect

__all__ = ["analyse", "detect"]
