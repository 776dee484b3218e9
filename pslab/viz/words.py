"""Words made in a cell: a sentence that carries computed numbers, and a question with an instant answer."""

from __future__ import annotations

import html


class Note(str):
    """A sentence in Markdown whose numbers were computed: `Note(f"The ratio is {ratio:.2f}.")`."""

    def _repr_markdown_(self) -> str:
        return str(self)

    __repr__ = str.__str__


class Question:
    """A question; its answer opens when the reader asks for it, without a kernel and without a network."""

    def __init__(self, text: str, answer: str):
        self.text, self.answer = text, answer

    def _repr_html_(self) -> str:
        return (f"<details><summary><b>{html.escape(self.text)}</b></summary>"
                f"<p style='margin-left:1.2em'>{html.escape(self.answer)}</p></details>")

    def __repr__(self) -> str:
        return f"Q: {self.text}\nA: {self.answer}"
