"""Lambda: importing this module registers it."""

from __future__ import annotations

import rocamadre.api.neighbours.lambdas.functions
import rocamadre.api.neighbours.lambdas.invoke
import rocamadre.api.neighbours.lambdas.permissions  # noqa: F401
from rocamadre.api.neighbours.shaped import register

register("lambda", is_long=True)
