"""What the exercises of lab 6 share: rooms that would be the answer, values read, sentences of several exercises.

    array(value)                 a NumPy array of a tensor, an array or a list of numbers; None of anything else
    told("6/arguments-changed")  the sentences of these ids, for an exercise's misconceptions
"""

from __future__ import annotations

import numpy as np
import torch

from pslab.grade import Misconception

FORBIDDEN = ("pslab.embedding", "pslab.ps", "pslab.models")     # bags, row rules, and a model made of both
MOST_OPERATIONS = 120          # of torch, however many bags: a loop over 1,000 bags asks for 1,000 or more
MOST_CPU_S = 1.0               # of processor time for MANY_BAGS bags; without a loop it is some hundredths
MANY_BAGS = 300_000


def array(value) -> np.ndarray | None:
    """As NumPy has it; None where it is no block of numbers."""
    if isinstance(value, torch.Tensor):
        return (value.detach().to_dense() if value.is_sparse else value.detach()).cpu().numpy()
    if isinstance(value, (list, tuple)):
        try:
            value = np.asarray(value)
        except ValueError:
            return None
    return value if isinstance(value, np.ndarray) and value.dtype.kind in "fiu" else None


def short(value) -> str:
    """On one line."""
    if isinstance(value, (np.ndarray, torch.Tensor)):
        if value.size > 8 if isinstance(value, np.ndarray) else value.numel() > 8:
            return f"{type(value).__name__} of shape {tuple(value.shape)}, {value.dtype}"
        value = value.tolist()
    if isinstance(value, list) and value and all(isinstance(v, float) for v in value):
        return "[" + ", ".join(f"{v:g}" for v in value) + "]"
    text = repr(value)
    return text if len(text) <= 90 else text[:87] + "..."


SENTENCES = {
    "6/arguments-changed": "You changed a tensor that belongs to the caller; what comes in is only read, so work on a "
    "copy.",
    "6/loop-over-bags": "The work grows bag by bag: there is a loop over them, which at a hundred thousand bags takes "
    "longer than all the arithmetic; give each look-up the number of its bag and add all of them in one operation.",
    "6/library-bag": "torch's own embedding bag did the work; this exercise asks you to build it.",
    "6/weights-ignored": "The weights had no effect; each look-up counts as often as its weight says, also backwards.",
    "6/last-offset": "offsets has B + 1 entries for B bags: bag b goes from offsets[b] up to offsets[b + 1], and the "
                     "last "
    "entry is the end of the last bag.",
    "6/bag-of-a-look-up": "A look-up was given to the bag beside its own; bag b begins *at* offsets[b], so that place "
    "belongs to b and not to the bag before it, also where empty bags share an offset.",
    "6/last-duplicate-wins": "Of equal ids only one counted; an assignment to rows[ids] keeps one of equal places, so "
    "add with index_add_ or sum them first.",
    "6/duplicates-one-by-one": "Equal ids of a batch took separate steps; their gradients are summed first and the row "
    "takes one step, or the result depends on how the batch was cut.",
    "6/untouched-row-moved": "A row that is not in the batch is not what it was, bit for bit; a step concerns the rows "
    "of the batch alone.",
    "6/gradient-added": "The row went up where the gradient says down; a step subtracts.",
    "6/library-optimizer": "An optimizer of torch's did the work; this exercise asks you to build it.",
}


def told(*ids: str) -> tuple[Misconception, ...]:
    """The shared misconceptions of these ids."""
    return tuple(Misconception(name, SENTENCES[name]) for name in ids)
