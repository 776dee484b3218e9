"""An eye on a rank that never comes back, and its prints kept apart from those of others.

    every timeout_s / 4:   has any rank been given its turn since? ── no, for timeout_s ──> raise Hung in the one that
                                │ yes                                                       has it
                                └──> and does anything move? (see `standstill`)
"""

from __future__ import annotations

import io
import sys
import threading
import time

from .carriers import raise_in
from .kernel import Kernel
from .standstill import Probe


class Hung(BaseException):
    """Raised in a rank that kept its turn for too long; the caller sees `Stalled`."""


class Watch:
    """While it is open, a rank that keeps its turn for timeout_s real seconds is thrown out of its program.

    It is thrown where it runs Python code; one that is stuck inside compiled code leaves when that returns.
    """

    def __init__(self, kernel: Kernel, timeout_s: float, probe: Probe):
        self._kernel, self._timeout_s, self._probe = kernel, timeout_s, probe
        self._closed = threading.Event()
        self._lock = threading.Lock()
        self._thrown_in: int | None = None
        self._thread = threading.Thread(target=self._look, daemon=True, name="pslab watch")

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_) -> None:
        with self._lock:
            self._closed.set()
            if self._thrown_in is not None:
                raise_in(self._thrown_in, None)         # if it has not been raised yet, it comes too late
        self._thread.join()

    def _look(self) -> None:
        kernel, seen, since_s = self._kernel, None, 0.0
        while not self._closed.wait(min(self._timeout_s / 4, 3600.0)):
            now_s, turn = time.monotonic(), (kernel.ticks, kernel.running)
            if turn != seen or kernel.running is kernel.main:
                seen, since_s = turn, now_s
                for _ in range(20):                         # between two turns the queue is often empty for a moment
                    if self._probe.insert() or self._closed.wait(0.002):
                        break
            elif now_s - since_s >= self._timeout_s:
                with self._lock:
                    if not self._closed.is_set():
                        self._thrown_in = kernel.thread_of(kernel.running)
                        raise_in(self._thrown_in, Hung)
                return


class Prints:
    """Stands in for sys.stdout: what the rank that has its turn prints goes to that rank's own text.

    All of it is printed by the caller when the run is over, sorted by rank.
    """

    def __init__(self, kernel: Kernel, world_size: int):
        self._kernel = kernel
        self._texts: list[io.StringIO | None] = [None] * world_size
        self._real = None

    def __enter__(self) -> Prints:
        self._real, sys.stdout = sys.stdout, self
        return self

    def __exit__(self, *_) -> None:
        sys.stdout = self._real
        for text in self.texts():
            self._real.write(text)
        self._real.flush()

    def texts(self) -> list[str]:
        return ["" if text is None else text.getvalue() for text in self._texts]

    def write(self, text: str) -> int:
        running = self._kernel.running
        if running is self._kernel.main or threading.get_ident() != self._kernel.thread_of(running):
            return self._real.write(text)
        if self._texts[running.rank] is None:
            self._texts[running.rank] = io.StringIO()
        return self._texts[running.rank].write(text)

    def flush(self) -> None:
        self._real.flush()

    def __getattr__(self, name: str):
        return getattr(self._real, name)
