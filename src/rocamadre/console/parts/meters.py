"""Progress of long work, changed in place so that neither focus nor place on the page is lost."""

from __future__ import annotations

from rocamadre.console.parts.elements import box, set_attributes, tag


class Meter:
    """A bar with a line below it, drawn where it is made.

    Args:
        label: For screen readers.
    """

    def __init__(self, label: str) -> None:
        with box("section tight"):
            self._bar = tag("progress", max=1000, aria_label=label, classes="meter-bar")
            self._line = tag("span", classes="faint small hostile")
        self._shown: tuple[int | None, str] = (None, "")

    def show(self, share: float | None, line: str) -> None:
        """Set how far it is.

        Args:
            share: 0 to 1; None while nobody knows.
            line: In words.
        """
        value = None if share is None else round(1000 * min(1.0, max(0.0, share)))
        if (value, line) == self._shown or self._bar.is_deleted:
            return
        if value != self._shown[0]:
            set_attributes(self._bar, value=value)
            self._bar.update()
        self._line.set_text(line)
        self._shown = (value, line)
