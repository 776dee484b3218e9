"""Words made in a cell: a sentence that carries computed numbers."""

from __future__ import annotations


class Note(str):
    """A sentence in Markdown whose numbers were computed: `Note(f"The ratio is {ratio:.2f}.")`."""

    def _repr_markdown_(self) -> str:
        return str(self)

    __repr__ = str.__str__
