"""Hot keys: a partition can be even in rows and uneven in requests.

    Zipf: row i is asked for in proportion to 1/(i + 1)^a

    requests   ████████  the hottest row           every server has as many rows,
               ████      the second                the one with row 0 has the most work:
               ██ █ █ ▌▌▌ ...                      max/mean >= S · share of row 0, however good the hash

A copy of the h hottest rows on every server spreads their pulls evenly; what is left over is nearly even.
"""

from __future__ import annotations

import numpy as np

from .base import Partition


def zipf(num_rows: int, exponent: float = 1.0) -> np.ndarray:
    """(R,) shares of the requests, row 0 the hottest; they add up to 1. exponent 0: all alike."""
    if isinstance(num_rows, bool) or not isinstance(num_rows, (int, np.integer)) or num_rows < 1:
        raise ValueError(f"num_rows={num_rows!r}; a whole number from 1 is needed")
    if not 0 <= exponent < float("inf"):
        raise ValueError(f"exponent={exponent!r}; 0 or a finite number above is needed")
    shares = np.arange(1, num_rows + 1, dtype=np.float64)**-float(exponent)
    return shares / shares.sum()


def server_loads(partition: Partition, requests: np.ndarray, replicated: int = 0) -> np.ndarray:
    """(S,) requests that each server gets, for requests (R,) by row (counts or shares).

    replicated: so many of the most requested rows lie on every server, each of which serves 1/S of their pulls. (Pushes
    to them would go to all S: what this costs depends on how the copies are kept alike.)
    """
    requests = np.asarray(requests, np.float64)
    if requests.ndim != 1 or not len(requests) or not (requests >= 0).all():
        raise ValueError(f"requests has shape {requests.shape}; one number from 0 a row, (R,), is needed")
    if isinstance(replicated, bool) or not isinstance(replicated, (int, np.integer)) \
            or not 0 <= replicated <= len(requests):
        raise ValueError(f"replicated={replicated!r}; with {len(requests)} rows 0..{len(requests)} are allowed")
    hottest = np.argsort(-requests, kind="stable")[:replicated]
    single = requests.copy()
    single[hottest] = 0
    owners = np.searchsorted(partition.servers, partition.owner(np.arange(len(requests))))
    loads = np.bincount(owners, weights=single, minlength=len(partition.servers))
    return loads + requests[hottest].sum() / len(partition.servers)


def imbalance(loads: np.ndarray) -> float:
    """max/mean: how much slower than even work the busiest server makes everybody. 1.0 is even."""
    loads = np.asarray(loads, np.float64)
    if not loads.size or not loads.mean() > 0:
        raise ValueError(f"loads={loads.tolist()}; at least one number above 0 is needed")
    return float(loads.max() / loads.mean())
