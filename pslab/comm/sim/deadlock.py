"""Why nobody can go on: the table of who waits for whom, and what was sent and never received.

    rank  call                waiting for  waited   where
    0     recv(src=1, tag=0)  rank 1       2e-05 s  cell:3 in program    rank 1 has sent tag 7; rank 1 has ended
"""

from __future__ import annotations

from .. import agree
from ..errors import _PACKAGE, Wait, _where, frame_line
from ..strand import failed
from ..tags import label
from .kernel import Kernel, Task
from .strand import IDLE
from .transfer import Half, Receive, Send


def waits(kernel: Kernel) -> list[Wait]:
    """One row for every rank that waits, and for its strands. Ranks are world ranks, also of calls in a subgroup."""
    rows = []
    for task in sorted([*kernel.tasks, *kernel.strands], key=lambda task: task.rank):
        if not task.ended and task.waits_for not in (None, IDLE):
            call, peer = task.waits_for.describe()
            rows.append(agree.wait_in(_collective(task), task.rank, call, peer, kernel.now - task.since_s,
                                      frame_line(kernel.frame(task)), _note(kernel, task)))
    return rows


def _collective(task: Task) -> tuple[int, int, str] | None:
    """The collective call that the task waits in."""
    half = task.waits_for
    return agree.inside(task.endpoint.logs, half.key[1]) if isinstance(half, Half) else None


def undelivered(fabric) -> list[str]:
    """A sentence for every tensor that was sent and met no receive."""
    return [_sentence(send) for lane in fabric.lanes() for send in lane.halves(Send) if not send.control]


def line_of(error: BaseException) -> str:
    """The innermost line outside the kit that an exception passed."""
    step, line = error.__traceback__, ""
    while step is not None:
        if not step.tb_frame.f_code.co_filename.startswith(_PACKAGE):
            line = _where(step.tb_frame)
        step = step.tb_next
    return line


def _sentence(send: Send) -> str:
    where = f" ({'send' if send.sync else 'isend'} at {send.where})" if send.where else ""
    return (f"rank {send.lane.sender.rank} to rank {send.lane.receiver.rank}, tag {label(send.key[1])}: "
            f"{send.name}{list(send.array.shape)}, sent at {send.posted_s:.3g} s{where}")


def _note(kernel: Kernel, task: Task) -> str:
    half, notes = task.waits_for, []
    peer = half.describe()[1]
    if not task.endpoint.line and failed(task.endpoint.unwaited):
        notes.append(failed(task.endpoint.unwaited))
    if peer is None or not isinstance(half, Half):
        return "; ".join(notes)
    if task.endpoint.line:
        notes.append("in the background")
        door = task.endpoint.fabric.doors.get((peer, task.endpoint.line))
        if door is None or door.task.carrier is None:
            notes.append(f"rank {peer} has started nothing there")
    receiving = isinstance(half, Receive)
    others = half.lane.halves(Send if receiving else Receive)
    tags = ", ".join(map(label, sorted({other.key[1] for other in others if not other.control})))
    if tags:
        notes.append(f"rank {peer} {'has sent' if receiving else 'receives'} tag {tags}")
    if kernel.tasks[peer].ended:
        notes.append(f"rank {peer} has ended")
    return "; ".join(notes)
