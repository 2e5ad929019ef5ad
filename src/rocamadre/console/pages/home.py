"""Home."""

from __future__ import annotations

from rocamadre.console.page import Page


async def build(page: Page) -> None:
    """Draw the page."""
