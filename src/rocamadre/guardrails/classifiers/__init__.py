"""Classifiers of the guardrails: what a text shows of each category, and whether it is about a topic."""

from rocamadre.guardrails.classifiers.scores import content_scores

__all__ = ["content_scores"]
