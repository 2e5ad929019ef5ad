"""CloudWatch Logs: importing this module registers it."""

from __future__ import annotations

import rocamadre.api.neighbours.logs.events
import rocamadre.api.neighbours.logs.groups  # noqa: F401
from rocamadre.api.neighbours.shaped import register

register("logs")
