"""Import time, the second `make up` to its first streamed token, and idle memory.

`python -m benchmarks.startup [--runs N]`   (stops and starts the platform of this checkout)

The bars: `import rocamadre` under 0.3 s; the second `make up` under 5 s to the first token.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time

from benchmarks.harness import ROOT, report, spread


def seconds(command: list[str]) -> float:
    """Wall-clock time of a command."""
    started = time.perf_counter()
    subprocess.run(command, check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def import_seconds(module: str, runs: int) -> list[float]:
    """What an import adds to a bare interpreter, per run."""
    code = f"import time; t = time.perf_counter(); import {module}; print(time.perf_counter() - t)"
    return [
        float(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout)
        for _ in range(runs)
    ]


def first_token_seconds() -> float:
    """From `make up`, platform stopped, to the first character of the model's answer."""
    subprocess.run(["make", "down"], check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
    started = time.perf_counter()
    process = subprocess.Popen(["make", "up"], cwd=ROOT, stdout=subprocess.PIPE)
    assert process.stdout is not None
    first = 0.0
    for line in process.stdout:
        if line.startswith(b"> "):  # The question; what follows is the answer, streamed.
            process.stdout.read(1)
            first = time.perf_counter() - started
            break
    process.stdout.read()
    if process.wait() != 0 or not first:
        raise SystemExit("make up failed")
    return first


def main() -> None:
    """Run and report."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--runs", type=int, default=5)
    options = arguments.parse_args()
    figures = {
        "import_rocamadre_s": spread(import_seconds("rocamadre", options.runs)),
        "import_server_s": spread(import_seconds("rocamadre.server.app", options.runs)),
        "make_up_to_first_token_s": spread([first_token_seconds() for _ in range(options.runs)]),
        "make_up_already_running_s": spread([seconds(["make", "up"]) for _ in range(options.runs)]),
    }
    status = subprocess.run(
        [str(ROOT / ".venv/bin/roca"), "status", "--json"],
        check=True,
        capture_output=True,
        env=os.environ | {"ROCA_HOME": str(ROOT / ".roca")},
    )
    state = json.loads(status.stdout)
    report(
        "startup",
        {
            **figures,
            "idle_memory_bytes": {
                "server": state["memory_bytes"],
                **{engine["model_id"]: engine["memory_bytes"] for engine in state["engines"]},
            },
            "bars": {"import_rocamadre_s": 0.3, "make_up_to_first_token_s": 5},
        },
    )


if __name__ == "__main__":
    main()
