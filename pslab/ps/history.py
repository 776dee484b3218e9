"""What happened in a run, operation by operation: recorded at the workers, brought together, judged by `check`.

    worker 0   push 0 ├──────┤           pull ├───┤ saw 0/0 1/0       clock ├──────────┤ 1
    worker 1      push 0 ├─────────┤  clock ├────────────────────┤ 1     pull ├──┤ saw 0/0 1/0
               ────────────────────────────────────────────────────────────────────────────> time

What a pull saw is written as the pushes that are in its rows: "0/2 once" is push 2 of worker 0. Two ways lead there:

    stamps    the server keeps a log of what it applied (ServerLog) and says with each answer how long the log was
    marks     the pushed values themselves tell (history_marks.Marks): any server will do, also one that you wrote

    log = Recorder()                                         at a worker: KVWorker(..., recorder=log)
    log = ServerLog()                                        at a server: KVServer(..., recorder=log)
    history = History.of(run.results)                        each rank gave log.part()
    for finding in check(history, SSP(2), reached=True):     history_check.py
        print(finding)

A part is made of lists, numbers and strings, so it travels between processes as any result does. Without a recorder
nothing is kept and no byte more is sent. Times of different workers are compared: they must come from one clock, as
they do in the simulator and between processes of one machine.
"""

from .history_check import Finding, Findings, check
from .history_marks import Marks
from .history_record import History, Op, Recorder, ServerLog
from .history_values import check_sequential

__all__ = ["Finding", "Findings", "History", "Marks", "Op", "Recorder", "ServerLog", "check", "check_sequential"]
