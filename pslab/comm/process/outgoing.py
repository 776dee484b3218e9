"""A send under way: when may its buffer be changed, and when is it known to have been received?

    staged or on the socket    buffer_free()   the bytes have left the caller's tensor
    sync, or read in place     answered()      the receiver acknowledged (or refused: NACK)
"""

from __future__ import annotations

import time

from .. import wire
from ..face import Work
from ..tags import label


class SendWork(Work):
    """Done when the buffer is free and, where asked for, the receiver has answered."""

    short = False
    __slots__ = ("control", "dst", "endpoint", "error", "kept", "leave_s", "lent", "owed", "tag")

    def __init__(self, endpoint, dst: int, tag: int, owed: int, control: bool):
        self.endpoint, self.dst, self.tag, self.owed, self.control = endpoint, dst, tag, owed, control
        self.error = None
        self.lent = None                    # the array that the receiver reads in place: its memory must not be reused
        self.kept = None                    # of a relay: the message whose sender is owed a credit when this is read
        self.leave_s = 0.0                  # on a throttled link: when the last byte has left the port

    @property
    def done(self) -> bool:
        return self.owed <= 0

    def buffer_free(self) -> None:
        self.owed -= 1

    def answered(self, kind: int, error: Exception | None) -> None:
        self.error, self.owed = (None, self.owed - 1) if error is None else (error, 0)
        self.lent = None
        if self.kept is not None:
            self.endpoint.credit(self.kept)
            self.kept = None

    def is_completed(self) -> bool:
        if self.owed > 0:
            self.endpoint.progress(0)
        return self.owed <= 0 and (not self.leave_s or time.monotonic() >= self.leave_s)

    def wait(self, timeout_s: float | None = None) -> None:
        if self.owed > 0:
            self.endpoint.wait_until(self, timeout_s)
        if self.leave_s:
            self.endpoint.hold_until(self.leave_s)
        if self.error is not None:
            raise self.error

    def call(self) -> str:
        return f"{label(self.tag)}()" if self.control else f"send(dst={self.dst}, tag={label(self.tag)})"

    @property
    def peer(self) -> int:
        return self.dst


def flags_of(sync: bool, control: bool) -> int:
    return (wire.SYNC if sync else 0) | (wire.CONTROL if control else 0)
