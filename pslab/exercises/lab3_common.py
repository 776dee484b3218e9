"""What the exercises of lab 3 share: rooms that would be the answer, values read, streams of keys, common sentences.

    whole_numbers(value)        (n,) int64 from a list, a tuple, a tensor or an array; None for anything else
    zipf(rng, R, n)             n reads of R rows, of which the k-th hottest has a share ~ k^-1.1
    told("3/no-such-server")    the sentences of these ids, for an exercise's misconceptions
"""

from __future__ import annotations

import numpy as np
import torch

from pslab.grade import Misconception, Verdict

FORBIDDEN = ("pslab.ps", "pslab.cost", "pslab.embedding")       # each has partitioners or the formula of 3.5
EXPONENT = 1.1


def whole_numbers(value) -> np.ndarray | None:
    """(n,) int64; None where the value is no flat row of whole numbers."""
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu().numpy()
    if isinstance(value, (list, tuple)):
        if not all(isinstance(v, (int, np.integer)) and not isinstance(v, bool) for v in value):
            return None
        if any(not -(2**63) <= v < 2**63 for v in value):
            return None
        value = np.array(value, dtype=np.int64)
    if not isinstance(value, np.ndarray) or value.ndim != 1 or (value.size and value.dtype.kind not in "iu"):
        return None
    return value.astype(np.int64)


def servers_of(value, count: int, allowed, where: str) -> tuple[np.ndarray | None, Verdict | None]:
    """(owners, None), or (None, what is wrong with them): one server for each key, and one that is there."""
    owners = whole_numbers(value)
    if owners is None or len(owners) != count:
        return None, Verdict(False, f"{count:,} whole numbers, one for each key", described(value), where,
                             "all/bad-value")
    strange = ~np.isin(owners, np.asarray(allowed))
    if strange.any():
        servers = f"a server from 0 to {len(allowed) - 1}" if list(allowed) == list(range(len(allowed))) else \
            f"one of the servers {list(allowed)}"
        return None, Verdict(False, f"{servers} for each key", f"server {owners[strange][0]} for the key at place "
                             f"{int(np.flatnonzero(strange)[0])}", where, "3/no-such-server")
    return owners, None


def described(value) -> str:
    """What came back, on one line."""
    if isinstance(value, (np.ndarray, torch.Tensor)):
        return f"{type(value).__name__} of shape {tuple(value.shape)}, {value.dtype}"
    if isinstance(value, (list, tuple)) and len(value) > 6:
        return f"{type(value).__name__} of {len(value):,}, first {value[:3]!r}"[:100]
    text = repr(value)
    return text if len(text) <= 100 else text[:97] + "..."


def zipf(rng, R: int, n: int, exponent: float = EXPONENT) -> np.ndarray:
    """(n,) int64 keys below R: the k-th hottest is drawn with probability ~ k^-exponent; which row it is, is drawn."""
    share = np.arange(1, R + 1) ** -exponent
    return rng.permutation(R)[rng.choice(R, size=n, p=share / share.sum())].astype(np.int64)


SENTENCES = {
    "3/no-such-server": "You named a server that is not there; every key belongs to one of the servers that were "
    "given, also the last key and also where nothing divides evenly.",
    "3/range-off-by-one": "A range is cut one row too early or too late; ranges are half-open, so that the first row "
    "of the next range is the end of this one, and a row at a cut belongs to exactly one server.",
    "3/duplicates-dropped": "A key that was named twice was answered, or counted, once; duplicates are ordinary, since "
    "many examples of a batch touch the same row.",
}


def told(*ids: str) -> tuple[Misconception, ...]:
    """The shared misconceptions of these ids."""
    return tuple(Misconception(name, SENTENCES[name]) for name in ids)
