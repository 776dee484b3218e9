"""What the exercises of lab 10 share: rooms that would be the answer, arrays read, standstills named, sentences.

    array(value)                 a float64 or float32 array of a tensor; a text that says what it is instead
    stuck(failed)                the lab's own name for ranks that wait for each other
    told("10/arguments-changed") the sentences of these ids, for an exercise's misconceptions
"""

from __future__ import annotations

import numpy as np
import torch

from pslab.grade import Misconception, Stalled

from .lab0_common import how_stuck

FORBIDDEN = ("pslab.models", "pslab.embedding", "pslab.ps", "pslab.train", "pslab.cost")


def array(value) -> np.ndarray | str:
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu()
        value = (value.to_dense() if value.is_sparse else value).numpy()
    if isinstance(value, np.ndarray) and value.dtype.kind in "fiu":
        return value
    return value if isinstance(value, str) else f"{type(value).__name__} {value!r}"[:120]


def few(values, digits: int = 5) -> str:
    """Numbers on one line; of many the first."""
    values = np.asarray(values, np.float64).reshape(-1).tolist()
    return "[" + ", ".join(f"{value:.{digits}g}" for value in values[:8]) + (", ...]" if len(values) > 8 else "]")


def stuck(failed: Stalled, label: str = "") -> Stalled:
    failed.misconception = how_stuck(failed.seen).replace("0/", "10/")
    failed.where = "; ".join(filter(None, (failed.where, label)))
    return failed


SENTENCES = {
    "10/arguments-changed": "You changed a tensor that belongs to the caller; what comes in is only read.",
    "10/everyone-sends-first": "Every rank stands in a send and nobody receives; start with isend, receive, and wait "
    "afterwards.",
    "10/everyone-receives-first": "Every rank waits to receive before anybody has sent; start the sends with isend "
    "first.",
    "10/sent-and-never-received": "A message was sent that nobody received; to each send belongs one receive, on every "
    "rank, also on one without examples.",
    "10/by-a-side-door": "Fewer bytes travelled than the others can do with; ranks share no variables, and what one "
    "computes the others learn by messages alone.",
}


def told(*ids: str) -> tuple[Misconception, ...]:
    """The shared misconceptions of these ids."""
    return tuple(Misconception(name, SENTENCES[name]) for name in ids)
