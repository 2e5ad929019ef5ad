"""The process that holds a table of vectors: `python -m rocamadre.engines.embed.static_child`, with NumPy alone."""

from __future__ import annotations

from pathlib import Path

from rocamadre.core.errors import RocamadreError
from rocamadre.engines.childside import Inbox, begin, run
from rocamadre.engines.embed.serving import serve
from rocamadre.engines.embed.static import StaticModel


def main() -> None:
    """Load, announce, serve."""
    spec, announcer = begin()
    try:
        model = StaticModel(Path(spec["path"]))
    except RocamadreError as error:
        announcer.refuse(error)
    inbox = Inbox(spec["fd"])
    announcer.ready({"dimensions": model.dimensions, "max_tokens": model.max_tokens})
    serve(model, inbox)


if __name__ == "__main__":
    run(main)
