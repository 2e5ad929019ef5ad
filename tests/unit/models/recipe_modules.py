"""The recipe's folder is no package: its modules are found by name, as when it runs as a command."""

import importlib
import sys
from pathlib import Path

RECIPE = Path(__file__).resolve().parents[3] / "models" / "roca-mini" / "recipe"


def load(name: str):
    """Import one module of the recipe."""
    sys.path.insert(0, str(RECIPE))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(RECIPE))
