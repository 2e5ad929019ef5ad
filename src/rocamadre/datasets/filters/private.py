"""By personal data."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, field_validator

from rocamadre.datasets.content import plain_text
from rocamadre.datasets.personal import KINDS, find_personal
from rocamadre.datasets.types import Example


class Personal(BaseModel):
    """Drop what holds personal data that has a form: addresses, numbers, ids."""

    model_config = ConfigDict(extra="forbid")

    kinds: str = Field(default=",".join(KINDS), description="Kinds that are looked for; a comma between.")

    @field_validator("kinds")
    @classmethod
    def _known(cls, value: str) -> str:
        if unknown := {each.strip() for each in value.split(",")} - set(KINDS):
            raise ValueError(f"{', '.join(sorted(unknown))} is not looked for; known are {', '.join(KINDS)}")
        return value

    def drop(self, example: Example) -> str:
        """See `Filter.drop`."""
        wanted = {each.strip() for each in self.kinds.split(",")}
        found = next((each.kind for each in find_personal(plain_text(example)) if each.kind in wanted), "")
        return f"holds {found}" if found else ""
