"""C4's rules of quality.

Source: Raffel et al. 2020, arXiv:1910.10683, section 2.2. C4 takes lines away; here an example goes when most of its
lines would.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from rocamadre.datasets.content import learned_text
from rocamadre.datasets.types import Example

_ENDS = (".", "!", "?", '"', "”", "»", "'", ")", "…", "。")
_FILLERS = (
    "lorem ipsum",
    "enable javascript",
    "javascript is disabled",
    "terms of use",
    "privacy policy",
    "cookie policy",
)


class C4(BaseModel):
    """Drop filler, code, and texts whose lines are no sentences (C4's rules)."""

    model_config = ConfigDict(extra="forbid")

    sentences: int = Field(default=1, ge=0, description="Fewest sentences; the paper has 5, for web pages.")
    words_per_line: int = Field(default=3, ge=1, description="Fewest words of a line that counts.")
    allow_code: bool = Field(default=False, description="Keep what holds a curly bracket.")

    def drop(self, example: Example) -> str:
        """See `Filter.drop`."""
        text = learned_text(example)
        lower = text.lower()
        for filler in _FILLERS:
            if filler in lower:
                return f"holds {filler!r}"
        if not self.allow_code and "{" in text:
            return "holds a curly bracket"
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        good = [line for line in lines if len(line.split()) >= self.words_per_line and line.endswith(_ENDS)]
        if len(good) * 2 < len(lines):
            return "most lines are no sentences"
        found = sum(line.count(". ") + line.count("! ") + line.count("? ") + 1 for line in good)
        return "too few sentences" if found < self.sentences else ""
