"""A vote before the run: hands are counted, one cell writes them down, a later cell shows them beside the answer.

    poll = Poll("How many times lighter?", ["2 times", "4.6 times", "9 times"])
    poll.vote([5, 3, 17])                # written to a file that a person can read, and drawn
    poll.answer("4.6 times")             # drawn again, the right bar marked
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path

from pslab import viz


class Poll:
    """A question with its options. Nothing leaves this machine: votes are kept in `file`.

    file: where the votes are kept, one entry for each question; default: polls.json in the course's cache folder
    ($PSLAB_CACHE, or the user's). A poll that was voted on before, also in another kernel, has its votes back.
    """

    def __init__(self, question: str, options: Sequence[str], *, file: str | Path | None = None):
        if len(set(options)) != len(options) or len(options) < 2:
            raise ValueError(f"options={list(options)!r}; two or more different ones are needed")
        self.question, self.options = question, list(options)
        self.file = Path(file) if file is not None else _default_file()
        kept = _read(self.file).get(question, {})
        self.votes = kept["votes"] if kept.get("options") == self.options else [0] * len(self.options)

    def vote(self, votes: Sequence[int]):
        """Write down how many hands each option had, in the order of the options, and draw them: a Picture."""
        if len(votes) != len(self.options):
            raise ValueError(f"votes has {len(votes)} numbers; there are {len(self.options)} options")
        for count in votes:
            if isinstance(count, bool) or not isinstance(count, int) or count < 0:
                raise ValueError(f"votes={list(votes)!r}; each is a number of hands, 0 or more")
        self.votes = list(votes)
        kept = _read(self.file)
        kept[self.question] = {"options": self.options, "votes": self.votes,
                               "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}
        self.file.parent.mkdir(parents=True, exist_ok=True)
        aside = self.file.with_name(self.file.name + ".tmp")
        aside.write_text(json.dumps(kept, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        aside.replace(self.file)
        return self._drawn(self.question, {})

    def answer(self, right: str):
        """Draw the votes again with the right option marked: a Picture whose title says how many had it."""
        if right not in self.options:
            raise ValueError(f"right={right!r}; it must be one of {self.options!r}")
        had = self.votes[self.options.index(right)]
        title = f"{self.question} It is {right}: {had} of {sum(self.votes)}"
        return self._drawn(title, {right: "hybrid"})

    def _drawn(self, title: str, marked: dict[str, str]):
        looks = {option: marked.get(option, "other") for option in self.options}
        return viz.bars(self.options, {"votes": self.votes}, unit="count", quantity="hands", looks=looks, title=title)


def _default_file() -> Path:
    from pslab.data import cache_folder

    return cache_folder() / "polls.json"


def _read(file: Path) -> dict:
    if not file.exists():
        return {}
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise ValueError(f"{file} is no file of votes ({error}); remove it, or name another by file=") from None
