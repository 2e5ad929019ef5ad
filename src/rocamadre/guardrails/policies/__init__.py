"""What a guardrail looks for: one file for each policy, and `registry.py`, which lists them."""
