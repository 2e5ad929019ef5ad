"""By language."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, field_validator

from rocamadre.datasets.content import plain_text
from rocamadre.datasets.languages import LANGUAGES, OTHER, detect_language
from rocamadre.datasets.types import Example


class Language(BaseModel):
    """Drop what is in another language."""

    model_config = ConfigDict(extra="forbid")

    keep: str = Field(default="en", description="Languages that stay, of en, es, pt, other; a comma between.")

    @field_validator("keep")
    @classmethod
    def _known(cls, value: str) -> str:
        unknown = {each.strip() for each in value.split(",")} - {*LANGUAGES, OTHER}
        if unknown:
            raise ValueError(f"{', '.join(sorted(unknown))} cannot be told; known are {', '.join(LANGUAGES)}, {OTHER}")
        return value

    def drop(self, example: Example) -> str:
        """See `Filter.drop`."""
        found = detect_language(plain_text(example))
        return "" if found in [each.strip() for each in self.keep.split(",")] else f"language {found}"
