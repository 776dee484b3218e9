"""What comes back from a run in the box, built anew from numbers: nothing of the student's process is unpickled."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from pslab.comm import Event, Ledger, Span, Trace

from .failures import BadValue


@dataclass
class BoxRun:
    """As a `pslab.comm.Run`: results and prints by rank, seconds, ledger, trace; and peak_bytes.

    changed_inputs: (rank, place) of each tensor among the arguments after comm that is not as given (world="sim").
    peak_bytes: by how much the process's resident memory rose above what it was before the run, at its highest
    (world="sim": all ranks together; None where it could not be measured, and for world="process").
    """

    results: list
    seconds: float
    ledger: Ledger
    trace: Trace
    prints: list[str] = field(default_factory=list)
    peak_bytes: int | None = None
    changed_inputs: list[tuple[int, int]] = field(default_factory=list)


def read_run(reply: dict, world_size: int) -> BoxRun:
    """The run a reply describes; BadValue when the parts do not fit together."""
    try:
        counts, sent = np.asarray(reply["counts"], np.int64), np.asarray(reply["sent"], np.int64)
        empty = Ledger(world_size)
        if counts.shape != empty.counts.shape or sent.shape != empty.sent.shape:
            raise ValueError(f"a ledger of shape {counts.shape}")
        trace = Trace(world_size, (Event(*e) for e in reply["events"]), (Span(*s) for s in reply["spans"]))
        return BoxRun(list(reply["results"]), float(reply["seconds"]), Ledger(world_size, counts, sent), trace,
                      [str(text) for text in reply["prints"]], reply["peak_bytes"],
                      [(int(rank), int(place)) for rank, place in reply.get("changed_inputs", ())])
    except (KeyError, TypeError, ValueError) as error:
        raise BadValue(f"what came back from the run is no run: {error}") from None
