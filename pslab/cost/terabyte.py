"""The two budgets of a table that no machine holds: memory R·D·b, and bytes a step through the all-to-all.

    R rows of D numbers over S hosts        K workers: B samples of L lookups a step, n = B·L/K of them each

    memory      R·(D·b + state)             table_bytes
    wire        B·L·D·b                     all_to_all_bytes, the naive step: every lookup fetches its row
                (1 − h)·B·L·D·b             ... but those that a cache at the worker answers (the chapter's law)
                K·Σ q·D·b                   de-duplicated: a worker fetches a row once, q = 1 − (1 − p)^n
                K·Σ q/(1 + s·q)·D·b         ... and keeps it s clocks more, as SSP(s) allows; s = 0 is BSP

`embedding_step` is all four at once. The first formulas are those of section 11.7. The last one is a renewal argument:
a row that was fetched is good for the s clocks behind it, and is fetched again when it is next asked for, on average
1/q clocks later; so it is fetched once in s + 1/q clocks (Ho et al. 2013 give the rule, reads by age). In training the
worker pushes a gradient to each row it reads, so under BSP (s = 0) no copy is still what the server has.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .ports import check_count
from .terabyte_popularity import Popularity, lru_memory

KINDS = ("fp32", "fp16", "int8", "int4")
STALE = float("inf")        # reads of any age: serving, or a table that nobody trains


def row_bytes(dim: int, kind: str = "fp32") -> int:
    """Bytes of a stored row of `dim` numbers: 4D, 2D, D + 8, D/2 + 4.

    int8: a float32 scale and minimum a row; int4: two codes a byte, scale and minimum in fp16 (FBGEMM's layouts).
    """
    check_count("dim", dim, 1)
    if kind not in KINDS:
        raise ValueError(f"kind={kind!r}; allowed: {', '.join(KINDS)}")
    return {"fp32": 4 * dim, "fp16": 2 * dim, "int8": dim + 8, "int4": -(-dim // 2) + 4}[kind]


def table_bytes(rows: int, dim: int, bytes_per_number: float = 4, state_floats: float = 0) -> float:
    """M_table = R·D·b, and 4 bytes for each of a row's `state_floats`: SGD 0, row-wise AdaGrad 1, AdaGrad D, Adam 2D.

    Use rows·row_bytes(dim, kind) for rows with scales.
    """
    check_count("rows", rows, 1), check_count("dim", dim, 1)
    _check_above_0("bytes_per_number", bytes_per_number)
    if not state_floats >= 0:
        raise ValueError(f"state_floats={state_floats!r}; a number from 0 is needed")
    return rows * (dim * bytes_per_number + 4 * state_floats)


def all_to_all_bytes(batch: int, lookups: int, dim: int, bytes_per_number: float = 4, hit_rate: float = 0.0,
                     remote_share: float = 1.0) -> float:
    """M_comm = (1 − h)·B·L·D·b: rows to the workers, one way, each lookup its own row. h = 0: the whole all-to-all.

    remote_share: of the lookups that miss, those whose row lies on another host: (S − 1)/S where the table lies on the
    workers' own S hosts. Section 11.7 takes 1.
    """
    check_count("batch", batch, 1), check_count("lookups", lookups, 1), check_count("dim", dim, 1)
    _check_above_0("bytes_per_number", bytes_per_number)
    _check_share("hit_rate", hit_rate), _check_share("remote_share", remote_share)
    return (1 - hit_rate) * batch * lookups * dim * bytes_per_number * remote_share


@dataclass(frozen=True)
class EmbeddingStep:
    """A step of all K workers, expected. Bytes are one way; fetched and pushed rows go in opposite directions."""

    lookups: float          # B·L
    unique: float           # distinct rows of each worker's share, added over the workers
    fetched: float          # rows that travel to the workers
    pushed: float           # gradients that travel back: no cache makes them fewer
    row_bytes: float        # of one, on the wire
    key_bytes: float        # sent with each row that is asked for or pushed
    remote_share: float = 1.0   # of rows that lie elsewhere; already in fetched and pushed

    @property
    def fetch_bytes(self) -> float:
        """Rows to the workers: what section 11.7 counts."""
        return self.fetched * self.row_bytes

    @property
    def push_bytes(self) -> float:
        return self.pushed * (self.row_bytes + self.key_bytes)

    @property
    def total_bytes(self) -> float:
        """Both ways, ids included."""
        return self.fetch_bytes + self.fetched * self.key_bytes + self.push_bytes

    @property
    def hit_rate(self) -> float:
        """1 − fetched over lookups: the h for which (1 − h)·B·L·D·b is right."""
        return 1 - self.fetched / self.lookups

    @property
    def unique_hit_rate(self) -> float:
        """1 − fetched over unique: what is left for a cache once equal ids travel once."""
        return 1 - self.fetched / self.unique


def embedding_step(popularity: Popularity, *, capacity: float = 0, batch: int = 65536, lookups: int = 40,
                   dim: int = 128, workers: int = 16, dedup: bool = True, consistency: str | float = "bsp",
                   wire_bytes_per_number: float = 4.0, wire_bytes_per_row: float = 0.0, key_bytes: float = 0.0,
                   remote_share: float = 1.0, policy: str = "top-k") -> EmbeddingStep:
    """Rows and bytes of a step: K workers, each with a cache of `capacity` rows, each with B·L/K independent lookups.

    dedup: a worker asks for a row once a step, however often its samples name it, and pushes one sum of gradients.
    consistency: "bsp"; "stale": a cached row is good for ever; or a number s: SSP(s), with all workers in step.
    wire_bytes_per_number, wire_bytes_per_row: a row travels as D times the one plus the other (int8 with a scale and a
    minimum: 1 and 8). key_bytes: of an id. remote_share: see `all_to_all_bytes`.
    policy: which rows a cache holds. "top-k": always the `capacity` hottest (the chapter's). "lru": those asked for
    most recently, by Che's approximation; it needs dedup. Without dedup a row that is cached is still fetched once, and
    one that is not is fetched at every lookup.
    """
    n = _check_step(batch, lookups, dim, workers, policy, dedup)
    s = staleness_of(consistency)
    _check_above_0("wire_bytes_per_number", wire_bytes_per_number), _check_share("remote_share", remote_share)
    for argument, value in (("wire_bytes_per_row", wire_bytes_per_row), ("key_bytes", key_bytes)):
        if not value >= 0:
            raise ValueError(f"{argument}={value!r}; a number of bytes from 0 is needed")
    counts, q = popularity.counts, popularity.touched(n)
    if policy == "lru":
        fetched = counts @ _lru_fetches(q, lru_memory(popularity, capacity, n), s)
    else:
        held = popularity.in_top(capacity)
        kept = 0.0 if s == STALE else q / (1 + s * q)
        fetched = counts @ (held * kept + (1 - held) * (q if dedup else n * popularity.probability))
    unique = float(counts @ q)
    return EmbeddingStep(lookups=float(batch * lookups), unique=workers * unique,
                    fetched=workers * float(fetched) * remote_share,
                    pushed=workers * (unique if dedup else n) * remote_share,
                    row_bytes=dim * wire_bytes_per_number + wire_bytes_per_row, key_bytes=key_bytes,
                    remote_share=remote_share)


def staleness_of(consistency: str | float) -> float:
    """s of "bsp" (0), "stale" (without end), or of the number itself."""
    if isinstance(consistency, str):
        if consistency not in ("bsp", "stale"):
            raise ValueError(f"consistency={consistency!r}; allowed: 'bsp', 'stale', or a staleness s from 0")
        return 0.0 if consistency == "bsp" else STALE
    if isinstance(consistency, bool) or not consistency >= 0:
        raise ValueError(f"consistency={consistency!r}; allowed: 'bsp', 'stale', or a staleness s from 0")
    return float(consistency)


def step_flop(dense_parameters: int, batch: int) -> float:
    """6·P·B: two operations a parameter and sample forward, four backward. Section 11.7 counts one sample's forward."""
    return 6.0 * check_count("dense_parameters", dense_parameters) * check_count("batch", batch)


def _lru_fetches(q: np.ndarray, memory: float, s: float) -> np.ndarray:
    """Per row, fetches a step by one worker: it is asked for with probability q, and is held `memory` steps unasked.

    Between two fetches a row is read free of charge as long as no gap is longer than the memory and the copy is not
    older than s. With f(t) such reads expected while the copy is good for t more steps, a fetch serves 1 + f(s) reads:
    f(t) = Σ_{g ≤ min(memory, t)} q (1 − q)^(g−1) (1 + f(t − g)).
    """
    if s <= memory:                             # whatever left the cache was too old already
        return q / (1 + s * q) if s < STALE else np.zeros_like(q)
    if s == STALE:
        return q * (1 - q) ** memory
    whole, part = int(memory), memory - int(memory)
    free = [np.zeros_like(q)]
    for t in range(1, int(s) + 1):
        gap = [q * (1 - q) ** (g - 1) * (1 + free[t - g]) * (1.0 if g <= whole else part)
               for g in range(1, min(whole + 1, t) + 1)]
        free.append(np.sum(gap, axis=0))
    return q / (1 + free[-1])


def _check_step(batch, lookups, dim, workers, policy, dedup) -> float:
    for argument, value in (("batch", batch), ("lookups", lookups), ("dim", dim), ("workers", workers)):
        check_count(argument, value, 1)
    if policy not in ("top-k", "lru"):
        raise ValueError(f"policy={policy!r}; allowed: 'top-k', 'lru'")
    if policy == "lru" and not dedup:
        raise ValueError("policy='lru' needs dedup=True: the model counts a row once a step")
    return batch * lookups / workers


def _check_share(argument: str, value: float) -> None:
    if isinstance(value, bool) or not 0 <= value <= 1:
        raise ValueError(f"{argument}={value!r}; a share from 0 to 1 is needed")


def _check_above_0(argument: str, value: float) -> None:
    if isinstance(value, bool) or not 0 < value < float("inf"):
        raise ValueError(f"{argument}={value!r}; a finite number above 0 is needed")
