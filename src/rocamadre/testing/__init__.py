"""For tests, ours and those of people who write parts for Rocamadre: tiny models, and suites that a part must pass."""
