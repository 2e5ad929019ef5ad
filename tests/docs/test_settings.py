from __future__ import annotations

import re

from pydantic import BaseModel

from rocamadre.core.settings import Settings


def names(model: type[BaseModel], prefix: str = "") -> dict[str, str]:
    """Every setting by its dotted name, with its description."""
    found = {}
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            found |= names(kind, f"{prefix}{name}.")
        else:
            found[prefix + name] = field.description or ""
    return found


def test_every_setting_has_a_heading_and_no_heading_is_left_over(checkout):
    text = (checkout / "docs" / "settings.md").read_text()
    headings = re.findall(r"^### `(.+)`$", text, re.M)
    assert headings == list(names(Settings))
