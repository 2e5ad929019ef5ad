"""Attacks on a model, tried through Converse with and without a guardrail, and judged without another model."""
