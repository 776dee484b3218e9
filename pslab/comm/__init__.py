"""The ground: one face, several worlds.

    program(comm, ...)  ──>  SimWorld      one process, virtual time, a thousand ranks
                        ──>  ProcessWorld  real processes on this machine
                        ──>  TorchWorld    the processes that torchrun started, on many machines
"""

from .errors import CommError, Deadlock, Disagreement, RankDied, RankError, Stalled, Wait, WireError
from .face import Comm, Link, Mail, Work
from .ledger import Ledger
from .racks import Racks
from .run import Run
from .tags import COLLECTIVE_TAGS
from .trace import Event, Span, Trace

__all__ = ["COLLECTIVE_TAGS", "Comm", "CommError", "Deadlock", "Disagreement", "Event", "Faults", "Ledger", "Link",
           "Mail", "ProcessWorld", "Racks", "RankDied", "RankError", "Run", "SimWorld", "Span", "Stalled", "TorchWorld",
           "Trace", "Wait", "WireError", "Work", "decode", "encode"]

_LATE = {"Faults": ".sim", "SimWorld": ".sim", "ProcessWorld": ".process", "TorchWorld": ".torchworld",
         "decode": ".wire", "encode": ".wire",
         "fork_launcher": ".process", "end_launcher": ".process"}


def __getattr__(name: str):
    if name in _LATE:
        from importlib import import_module
        return getattr(import_module(_LATE[name], __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
