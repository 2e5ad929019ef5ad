"""IAM: importing this module registers it."""

from __future__ import annotations

import rocamadre.api.neighbours.iam.policies
import rocamadre.api.neighbours.iam.roles  # noqa: F401
from rocamadre.api.neighbours.shaped import register

register("iam")
