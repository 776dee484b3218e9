"""Letters that wait for an answer, and are sent again until it comes.

    post ──────────> x lost
    retry_s later ─> ──────> server ──> answer x lost
    2 retry_s later ───────> server (knows the number: answers, and does nothing twice) ──> answer ──> settled
    4, 8, then every 16 retry_s

With retry_s = None nothing is ever sent again, nothing kept for it, and no byte more is sent.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from typing import NamedTuple

from pslab.comm import Comm

from .dtypes import copy_of

LONGEST = 16        # waits double up to this many retry_s
TRIES = 100         # after so many in vain, and not a word from that server meanwhile, it is given up
WINDOW = 1024       # unanswered numbers at one server; it remembers more of them (dedup.Seen.WINDOW)


class Letter:
    """What was posted, to be posted again."""

    __slots__ = ("dst", "kind", "meta", "posted_s", "tensors", "tries")

    def __init__(self, dst: int, kind: str, meta: dict, tensors: list, posted_s: float):
        self.dst, self.kind, self.meta, self.tensors = dst, kind, meta, tensors
        self.posted_s, self.tries = posted_s, 0


class Waiting(NamedTuple):
    """A letter without its answer yet. `owner`: what the sender wants to know when it comes. letter: to send again."""

    owner: object
    letter: Letter | None


class Outbox:
    """One worker's letters to its servers: numbers them, knows which are unanswered, sends those again when due.

    Requests are numbered 1, 2, 3, ... for each server and kind of answer. `resent` counts what was sent again.
    """

    def __init__(self, comm: Comm, retry_s: float | None):
        if retry_s is not None and not 0 < retry_s < float("inf"):
            raise ValueError(f"retry_s={retry_s}; seconds above 0, or None where no mail is lost, is needed")
        self.comm, self.retry_s, self.resent = comm, retry_s, 0
        self._last: dict[tuple[int, str], int] = defaultdict(int)
        self._waiting: dict[tuple[int, str], dict[int, Waiting]] = defaultdict(dict)
        self._due: list[tuple] = []             # a heap of (due_s, serial, letter, (dst, answer), number)
        self._heard_s: dict[int, float] = {}
        self._serial = 0

    def ask(self, dst: int, answer: str, owner, kind: str, meta: dict, tensors: list, give: bool = False) -> None:
        """Post a numbered request (q is written into meta); its answer will be of kind `answer`.

        give: the tensors are not used again here (Comm.post).
        """
        meta["q"] = number = self._last[dst, answer] = self._last[dst, answer] + 1
        self._post(dst, answer, number, owner, kind, meta, tensors, give)

    def tell(self, dst: int, answer: str, kind: str, meta: dict) -> None:
        """Post a letter without a number; a newer one to the same server takes its place."""
        self._post(dst, answer, 0, None, kind, meta, [])

    def settle(self, src: int, answer: str, number: int = 0):
        """The answer came: the owner of what was asked; None when it was answered before or never asked."""
        waiting = self._waiting[src, answer].pop(number, None)
        return None if waiting is None else waiting.owner

    def heard(self, src: int) -> None:
        """Any mail from a server shows that it is there."""
        self._heard_s[src] = self.comm.now()

    def last(self, dst: int, answer: str) -> int:
        """The number of the newest request to a server."""
        return self._last[dst, answer]

    def waits_for(self, *answers: str) -> bool:
        """Whether any letter still waits for an answer of these kinds (none given: of any kind)."""
        return any(waiting for (_, answer), waiting in self._waiting.items() if not answers or answer in answers)

    def is_full(self, dst: int, answer: str) -> bool:
        """Whether the oldest unanswered request lies WINDOW numbers back (only where letters can be lost)."""
        if self.retry_s is None:
            return False
        waiting = self._waiting[dst, answer]
        return bool(waiting) and self._last[dst, answer] - next(iter(waiting)) >= WINDOW

    def due_s(self) -> float | None:
        """When `resend` has something to do."""
        while self._due:
            due_s, _, letter, place, number = self._due[0]
            waiting = self._waiting[place].get(number)
            if waiting is not None and waiting.letter is letter:
                return due_s
            heapq.heappop(self._due)        # answered, or replaced by a newer one
        return None

    def resend(self) -> None:
        """Post again what is due. TimeoutError when a server does not answer at all."""
        while (due_s := self.due_s()) is not None and due_s <= self.comm.now():
            _, _, letter, place, number = heapq.heappop(self._due)
            letter.tries += 1
            silent_s = self.comm.now() - max(letter.posted_s, self._heard_s.get(letter.dst, 0.0))
            if letter.tries > TRIES and silent_s > TRIES * self.retry_s:
                raise TimeoutError(f"worker {self.comm.rank}: the server of rank {letter.dst} has not answered for "
                                   f"{silent_s:g} s; its {letter.kind} letter was sent {letter.tries} times")
            self.resent += 1
            self.comm.post(letter.dst, letter.kind, letter.meta, letter.tensors, retry=True)
            self._plan(letter, place, number)

    def _post(self, dst: int, answer: str, number: int, owner, kind: str, meta: dict, tensors: list,
              give: bool = False) -> None:
        letter = None
        if self.retry_s is not None:
            letter = Letter(dst, kind, meta, [copy_of(tensor) for tensor in tensors], self.comm.now())
            self._plan(letter, (dst, answer), number)
        self._waiting[dst, answer][number] = Waiting(owner, letter)
        self.comm.post(dst, kind, meta, tensors, **({"give": True} if give else {}))

    def _plan(self, letter: Letter, place: tuple[int, str], number: int) -> None:
        self._serial += 1
        wait_s = self.retry_s * min(2 ** min(letter.tries, LONGEST), LONGEST)
        heapq.heappush(self._due, (self.comm.now() + wait_s, self._serial, letter, place, number))
