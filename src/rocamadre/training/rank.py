"""`python -m rocamadre.training.rank RUN_DIR`: one of the further processes of a run; see `parallel.py`."""

from __future__ import annotations

import sys
from pathlib import Path

from rocamadre.jobs.rundir import RunDir
from rocamadre.jobs.runner import RunStopped
from rocamadre.training.run import run

if __name__ == "__main__":
    try:
        run(RunDir(Path(sys.argv[1])))
    except RunStopped:
        sys.exit(0)
