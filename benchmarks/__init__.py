"""One command per figure: `python -m benchmarks.gateway` and its like; results lie in `results/`."""
