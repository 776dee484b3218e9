"""Waiting for a transfer that may never end: its other end may have been stopped in the middle.

    this rank     look ─ look ─ look ─ …       is the other end stopped? has the run failed elsewhere?
    a thread      handle.wait() ............   torch.distributed can only be waited for, not asked

Small transfers are waited for at once: what fits into the buffers between two processes arrives, stopped or not, and a
thread would cost more than they do.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

LARGE_BYTES = 1 << 20


def wait_watching(handle, look: Callable[[], None], every_s: float) -> None:
    """handle.wait() with look() every so often; what look raises leaves the transfer behind, in its thread."""
    ended, failed = threading.Event(), []

    def wait() -> None:
        try:
            handle.wait()
        except RuntimeError as error:
            failed.append(error)
        ended.set()

    threading.Thread(target=wait, daemon=True, name="pslab transfer").start()
    while not ended.wait(every_s):
        look()
    if failed:
        raise failed[0]
