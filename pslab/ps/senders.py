"""Who may write and ask: which letters of each worker were recorded, and which senders belong to the past.

    letter (worker, incarnation n, number q) ── recorded before? ── yes ──> answered again, nothing done twice
                                             └─ no ── of a dead life, after goodbye, too far ahead? ──> Refused
"""

from __future__ import annotations

from pslab.comm import Mail

from .clocks import Clocks
from .dedup import Seen
from .requests import Refused


class Senders:
    """What one server recorded of its workers: writes (push, init, set) and pulls, numbered apart."""

    def __init__(self, workers: list[int], clocks: Clocks):
        self.clocks = clocks
        self.writes = {worker: Seen() for worker in workers}
        self.pulls = {worker: Seen() for worker in workers}

    def life(self, worker: int) -> int:
        """The incarnation that a worker wrote in last."""
        return self.writes[worker].incarnation

    def has_written(self, worker: int, life: int, number: int) -> bool:
        """Whether every write of that life up to `number` is recorded."""
        return self.writes[worker].has_all(life, number)

    def note_write(self, mail: Mail, life: int, number: int, clock: int | None) -> bool:
        """Note a write of a worker at `clock` (None: of no round); False when it was recorded before."""
        seen = self.writes[mail.src]
        if not self._is_new(mail, seen, life, number):
            return False
        if clock is not None and clock < self.clocks.of[mail.src]:
            raise Refused(f"push stamped {clock} by worker {mail.src}, whose clock is {self.clocks.of[mail.src]}: "
                          f"that round may be closed")
        seen.note(life, number)
        return True

    def note_pull(self, mail: Mail, life: int, number: int) -> bool:
        """Note a pull; False when it came before."""
        seen = self.pulls[mail.src]
        if not self._is_new(mail, seen, life, number):
            return False
        seen.note(life, number)
        return True

    def _is_new(self, mail: Mail, seen: Seen, life: int, number: int) -> bool:
        repeat = seen.is_repeat(life, number)
        if life < seen.incarnation:
            raise Refused(f"incarnation {life} of worker {mail.src} was replaced by {seen.incarnation}")
        if self.clocks.has_left(mail.src) and not repeat:
            raise Refused(f"{mail.kind} from worker {mail.src} after its goodbye")
        if not seen.fits(life, number):
            raise Refused(f"q={number} of worker {mail.src}: more than {seen.WINDOW} before it are missing")
        return not repeat
