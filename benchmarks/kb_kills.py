"""Ingestions killed at random: `python -m benchmarks.kb_kills [--kills 100] [--documents 400]`.

Round after round a part of the documents is changed, added and deleted, an ingestion job is begun, and its worker or
its server is killed with -9 up to five times at random moments. Each job's figures must be those of the changes. In the
end the same documents go into a new knowledge base undisturbed, and all rows of both stores are compared: texts, spans,
terms, attributes, and vectors to five places.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.harness import report, spread
from rocamadre.testing.knowledge_kills import Victim


def main() -> int:
    """Kill and compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--documents", type=int, default=400, help="in the bucket at a time")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="roca-bench-"))
    began = time.monotonic()
    victim = Victim(home, seed=options.seed, documents=options.documents)
    wrong: list[str] = []
    rounds = 0
    try:
        while victim.kills.count < options.kills:
            rounds += 1
            expected = victim.change()
            job = victim.ingest_under_kills(min(5, options.kills - victim.kills.count), within_s=2.5)
            shown = {name: job["statistics"][name] for name in expected}
            if job["status"] != "COMPLETE" or shown != expected:
                wrong.append(f"round {rounds}: {job['status']}, {shown} instead of {expected}")
            print(f"{victim.kills.count} kills in {rounds} rounds, {len(wrong)} wrong", file=sys.stderr)
        killed = victim.rows(victim.base, victim.source)
        undisturbed = victim.rows(*victim.ingest_undisturbed())
        different = [name for name in killed.keys() | undisturbed.keys() if killed.get(name) != undisturbed.get(name)]
        kills = victim.kills
    finally:
        victim.stop()
        shutil.rmtree(home, ignore_errors=True)
    report(
        "kb_kills",
        {
            "kills": {"worker": len(kills.workers), "server": len(kills.servers)},
            "at_s": spread([*kills.workers, *kills.servers]),
            "met_at_work": sum(1 for done in kills.done if done),
            "documents_done_when_killed": spread([float(done) for done in kills.done]),
            "rounds": rounds,
            "documents": len(killed),
            "chunks": sum(len(row[2]) for row in killed.values()),
            "wrong_figures": wrong,
            "documents_that_differ": different,
            "seconds": round(time.monotonic() - began, 1),
        },
    )
    return 1 if wrong or different else 0


if __name__ == "__main__":
    sys.exit(main())
