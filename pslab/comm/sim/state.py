"""What torch, NumPy and Python keep once for the whole process, and each rank must have for itself.

    rank 0 stops ──leave──> its generators are put aside       a rank begins with generators seeded by (seed, rank),
    rank 1 goes on ─enter─> its own are put in place           and the caller gets its own back

Asking NumPy and Python for the state of their generators takes 40 µs, more than a change of threads, and most programs
never touch them: so a look into their memory (0.5 µs) tells first whether they were used at all.
"""

from __future__ import annotations

import ctypes
import random
from contextlib import contextmanager

import numpy as np
import torch

from ..face import _derived

_numpy = np.random.mtrand._rand
_mt19937 = _numpy._bit_generator.ctypes.state_address


class Generators:
    """Swaps the default generators of torch, NumPy and Python between ranks, for carriers that are threads."""

    def __init__(self, seed: int):
        self._seed = seed
        self._numpy_in = self._python_in = None         # whose state is in place, as last read or put there
        self._numpy_mark = self._python_mark = None

    def leave(self, task) -> None:
        """The task stops: note its states."""
        mark = _numpy_mark()
        if mark != self._numpy_mark or self._numpy_in[3]:      # [3]: a second normal number waits unseen
            self._numpy_in, self._numpy_mark = np.random.get_state(), mark
        mark = _python_mark()
        if mark is None or mark != self._python_mark:
            self._python_in, self._python_mark = random.getstate(), mark
        task.state = torch.default_generator.get_state(), self._numpy_in, self._python_in

    def enter(self, task) -> None:
        """The task begins or goes on."""
        if task.state is None:
            seed = _derived(f"{self._seed}/{task.rank}/global", 7)
            torch.default_generator.manual_seed(seed)
            np.random.seed(seed % 2**32)
            random.seed(seed)
            self._numpy_mark = self._python_mark = None
            return
        torch_state, numpy_state, python_state = task.state
        torch.default_generator.set_state(torch_state)
        if numpy_state is not self._numpy_in or _numpy_mark() != self._numpy_mark:
            np.random.set_state(numpy_state)
            self._numpy_in, self._numpy_mark = numpy_state, _numpy_mark()
        mark = _python_mark()
        if python_state is not self._python_in or mark is None or mark != self._python_mark:
            random.setstate(python_state)
            self._python_in, self._python_mark = python_state, _python_mark()


@contextmanager
def fresh_modes():
    """Grad mode on and autocast off, as in a process that has just begun."""
    devices = [device for device in ("cpu", "cuda") if torch.is_autocast_enabled(device)]
    for device in devices:
        torch.set_autocast_enabled(device, False)
    try:
        with torch.inference_mode(False), torch.enable_grad():
            yield
    finally:
        for device in devices:
            torch.set_autocast_enabled(device, True)


def _numpy_mark() -> bytes:
    """Changes whenever NumPy's Mersenne Twister is seeded or drawn from: its last words and its position."""
    return ctypes.string_at(_mt19937 + 4 * 616, 4 * 9)


def _python_mark() -> tuple | None:
    """The same of Python's: its position and first words, which CPython keeps behind the object's header."""
    if not _PYTHON_OFFSET:
        return None
    return ctypes.string_at(id(random._inst) + _PYTHON_OFFSET, 4 * 8), random._inst.gauss_next


def _python_offset() -> int:
    """Where the position lies; 0 when this Python keeps it elsewhere, and then its state is asked for every time."""
    probe, offset = random.Random(1), object.__basicsize__
    where = id(probe) + offset
    if ctypes.c_int.from_address(where).value != 624:
        return 0
    probe.random()
    return offset if ctypes.c_int.from_address(where).value == 2 else 0


_PYTHON_OFFSET = _python_offset()
