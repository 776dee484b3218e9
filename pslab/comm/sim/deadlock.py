"""The table of who waits for whom when nobody can go on, and what was sent and never received."""

from __future__ import annotations

from collections import deque

from ..errors import Wait, frame_line
from .kernel import Kernel
from .transfer import Receive, Send


def waits(kernel: Kernel, carriers, fabric) -> list[Wait]:
    """One row for every rank that waits."""
    rows = []
    for task in kernel.tasks:
        if task.ended or task.waits_for is None:
            continue
        call, peer = task.waits_for.describe()
        rows.append(Wait(task.rank, call, peer, kernel.now - task.since_s, frame_line(carriers.frame(task)),
                         _note(kernel, fabric, task)))
    return rows


def undelivered(fabric) -> list[str]:
    """A sentence for every tensor that was sent and met no receive."""
    return [_sentence(send) for endpoint in fabric.endpoints for send in _pending(endpoint, Send) if not send.control]


def _sentence(send: Send) -> str:
    where = f", isend at {send.where}" if send.where else ""
    return (f"rank {send.endpoint.rank} to rank {send.dst}, tag {send.key[2]}: {send.name}{list(send.array.shape)} "
            f"sent at {send.posted_s:.3g} s{where}")


def _note(kernel: Kernel, fabric, task) -> str:
    half, notes = task.waits_for, []
    peer = half.describe()[1]
    if peer is None:
        return ""
    if isinstance(half, Receive):
        tags = sorted({send.key[2] for send in _pending(task.endpoint, Send)
                       if send.endpoint.rank == peer and not send.control})
        notes += [f"rank {peer} has sent tag {', '.join(map(str, tags))}"] if tags else []
    elif isinstance(half, Send):
        tags = sorted({receive.key[2] for receive in _pending(fabric.endpoints[peer], Receive)
                       if receive.key[0] == task.rank and not receive.control})
        notes += [f"rank {peer} receives tag {', '.join(map(str, tags))}"] if tags else []
    if kernel.tasks[peer].ended:
        notes.append(f"rank {peer} has ended")
    return "; ".join(notes)


def _pending(endpoint, kind: type) -> list:
    found = []
    for there in endpoint.inbox.values():
        found += [half for half in (there if type(there) is deque else (there,)) if type(half) is kind]
    return found
