"""Guardrails: what may go into a model and come out of it, checked by policies that run on this machine."""
