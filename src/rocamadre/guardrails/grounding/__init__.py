"""Whether an answer is borne out by its source and answers its question; without a language model."""

from rocamadre.guardrails.grounding.scoring import Scores, judge

__all__ = ["Scores", "judge"]
