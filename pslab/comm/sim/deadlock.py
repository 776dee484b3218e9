"""The table of who waits for whom when nobody can go on, and what was sent and never received."""

from __future__ import annotations

from ..errors import Wait, frame_line
from .kernel import Kernel, Task
from .transfer import Receive, Send


def waits(kernel: Kernel, fabric) -> list[Wait]:
    """One row for every rank that waits."""
    rows = []
    for task in kernel.tasks:
        if task.ended or task.waits_for is None:
            continue
        call, peer = task.waits_for.describe()
        rows.append(Wait(task.rank, call, peer, kernel.now - task.since_s, frame_line(kernel.frame(task)),
                         _note(kernel, fabric, task)))
    return rows


def undelivered(fabric) -> list[str]:
    """A sentence for every tensor that was sent and met no receive."""
    return [_sentence(send) for lane in fabric.lanes() for send in lane.halves(Send) if not send.control]


def _sentence(send: Send) -> str:
    where = f", {'send' if send.sync else 'isend'} at {send.where}" if send.where else ""
    return (f"rank {send.lane.sender.rank} to rank {send.lane.receiver.rank}, tag {send.key[1]}: "
            f"{send.name}{list(send.array.shape)} sent at {send.posted_s:.3g} s{where}")


def _note(kernel: Kernel, fabric, task: Task) -> str:
    half, notes = task.waits_for, []
    peer = half.describe()[1]
    if peer is None:
        return ""
    others = half.lane.halves(Send if isinstance(half, Receive) else Receive)
    tags = ", ".join(map(str, sorted({other.key[1] for other in others if not other.control})))
    if tags:
        notes.append(f"rank {peer} {'has sent' if isinstance(half, Receive) else 'receives'} tag {tags}")
    if kernel.tasks[peer].ended:
        notes.append(f"rank {peer} has ended")
    return "; ".join(notes)
