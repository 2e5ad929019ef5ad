"""The long fuzz: `python -m benchmarks.fuzz [--seconds 600] [--seed N]`; ends with 1 when it found a fault.

A server of its own with the fake engine is sent requests generated from the service models (valid, and broken in one
trait), JSON with random parts replaced, and damaged bytes. `rocamadre.testing.fuzz` says what counts as a fault; here
it is also one when the server dies, or writes of a crash in its log.
"""

from __future__ import annotations

import argparse
import sys
import time
import urllib.request

import psutil

import rocamadre.api.endpoints  # noqa: F401  (registers every handler)
from benchmarks.harness import report, server
from rocamadre.api.wire.models import load_models
from rocamadre.testing.fuzz import Fuzzer


def main() -> int:
    """Run and report; 1 when there was a fault."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    options = parser.parse_args()
    models = {
        "CATALOG__DEFAULT_MODEL": "rocamadre.fake-v1:0",
        "CATALOG__DEFAULT_EMBEDDER": "rocamadre.fake-embed-v1:0",
        "SERVER__STRICT": "true",
    }
    with server(settings=models) as (address, pid, home):
        process = psutil.Process(pid)
        before = process.memory_info().rss
        began = time.monotonic()
        tally = Fuzzer(address, load_models(), options.seed).run(seconds=options.seconds)
        elapsed_s = time.monotonic() - began
        if not process.is_running():
            tally.fault("the server died")
        else:
            urllib.request.urlopen(f"{address}/healthz", timeout=5).read()
            grown = process.memory_info().rss - before
        crashes = sum(text.count("crashed") for text in (path.read_text() for path in (home / "logs").glob("*")))
        if crashes:
            tally.fault(f"{crashes} crashes in the server's log")
    report(
        "fuzz",
        {
            "seed": tally.seed,
            "seconds": round(elapsed_s),
            "requests": tally.sent.total(),
            "by_kind": dict(tally.sent),
            "by_status": {str(status): count for status, count in sorted(tally.statuses.items())},
            "server_memory_growth_bytes": grown,
            "crashes_in_log": crashes,
            "faults": tally.faults,
        },
    )
    return 1 if tally.faults else 0


if __name__ == "__main__":
    sys.exit(main())
