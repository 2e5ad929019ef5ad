"""The content filters, everything in order: `python models/guardrail-content/recipe/run.py DATA WORK [--smoke]`.

With --smoke a few written texts and a few steps, in WORK alone, to see that the commands still fit together; DATA is
not read then.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from fit import TWINS


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--jobs", type=int, default=1, help="fits at a time, some 2 GB each")
    parser.add_argument("--smoke", action="store_true")
    given = parser.parse_args()
    small = ["--smoke"] if given.smoke else []
    data, work = str(given.data), str(given.work)
    run(["fit.py", data, work, "--prepare", *small])
    names = ["none", *(list(TWINS)[-1:] if small else TWINS)]
    with ThreadPoolExecutor(given.jobs) as fits:
        list(fits.map(run, [["fit.py", data, work, "--without", name, *small] for name in names]))
    run(["publish.py", data, work, *small])


def run(step: list[str]) -> None:
    """A script of this folder with its arguments."""
    print("$", *step, flush=True)
    subprocess.run([sys.executable, str(Path(__file__).with_name(step[0])), *step[1:]], check=True)


if __name__ == "__main__":
    main()
