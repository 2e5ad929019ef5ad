"""Everything in order: `python models/guardrail-content/recipe/run.py DATA WORK [--smoke]`.

With --smoke a fraction of the texts and a few steps, in WORK alone, to see that the commands still fit together.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from examples import FOLDS


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--smoke", action="store_true")
    given = parser.parse_args()
    small = ["--smoke"] if given.smoke else []
    data, work = str(given.data), str(given.work)
    steps = [["reader_vectors.py", data, work, *small]]
    steps += [["fit.py", data, work, "--fold", str(fold), *small] for fold in range(FOLDS)]
    steps += [["fit.py", data, work, "--all", *small], ["publish.py", data, work, *small]]
    for step in steps:
        print("$", *step, flush=True)
        subprocess.run([sys.executable, str(Path(__file__).with_name(step[0])), *step[1:]], check=True)


if __name__ == "__main__":
    main()
