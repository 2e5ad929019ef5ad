"""On the PYTHONPATH of a server under test: its worker trains and publishes with the stubs here."""

from __future__ import annotations

import sys

if "rocamadre.server.worker" in sys.orig_argv:
    from rocamadre.customization import jobs

    jobs.TRAINER, jobs.PUBLISHER = "stub_trainer", "stub_publisher"
