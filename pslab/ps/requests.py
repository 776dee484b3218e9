"""Reading a worker's letter: everything a server demands of it, before anything changes.

    meta {t q c n [r]}, tensors [keys] vals   ──parse──>   Request(shard, number, where, vals)   or Refused
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pslab.comm import Mail

from .clocks import GONE
from .keys import as_array, is_ascending, sum_equal
from .shard import Shard


class Refused(ValueError):
    """Mail that a server does not act upon; the text goes back to its sender."""


class Again(Mail):
    """An answer that was given before: what it costs is counted as retransmission."""


class Request(NamedTuple):
    """`where`: rows within the shard, as a range or as (n,) indices; distinct and ascending where vals come along."""

    shard: Shard
    number: int
    where: range | np.ndarray
    vals: np.ndarray | None
    keys_bytes: int
    vals_bytes: int
    stamps: np.ndarray | None = None        # of a pull by a worker with a cache: (h,), for its first h keys


class Asked(NamedTuple):
    """A pull, and what its answer depends on: the life of the worker that asks, its clock, its writes so far."""

    src: int
    life: int
    clock: int
    after_write: int
    request: Request


def parse(mail: Mail, shards: list[Shard]) -> Request:
    """The request in a push, pull or init. Rows of equal keys in a push are summed here."""
    table, number = whole(mail, "t"), whole(mail, "q")
    if table >= len(shards):
        raise Refused(f"table number {table}; this server has tables 0..{len(shards) - 1}")
    if number < 1:
        raise Refused(f"q={number}; requests are numbered from 1")
    shard = shards[table]
    try:
        arrays = [as_array(tensor, "tensor") for tensor in mail.tensors]
    except ValueError as why:
        raise Refused(str(why)) from None
    sent = sum(array.nbytes for array in arrays)
    by_range = "r" in mail.meta
    needed = [*([] if by_range else ["keys"]), *([] if mail.kind == "pull" else ["vals"])]
    stamps = arrays.pop() if mail.kind == "pull" and not by_range and len(arrays) == 2 else None
    if stamps is not None and (stamps.dtype != np.int64 or stamps.ndim != 1 or len(stamps) > len(arrays[0])):
        raise Refused(f"a pull brings 2 tensors, the second {stamps.dtype}{list(stamps.shape)}; beside keys only "
                      f"int64 stamps of copies are taken, at most one a key")
    if len(arrays) != len(needed):
        raise Refused(f"a {mail.kind} {'of a range ' if by_range else ''}brings {len(arrays)} tensors; needed: "
                      f"{', '.join(needed) or 'none'}")
    where = _range(mail, shard) if by_range else _indices(arrays[0], shard)
    if mail.kind == "pull":
        return Request(shard, number, where, None, sent, 0, stamps)
    vals = _vals(arrays[-1], len(where), shard)
    vals_bytes = vals.nbytes
    if not by_range and not is_ascending(where):
        keys = len(where)
        where, vals = sum_equal(where, vals)
        if mail.kind == "init" and len(where) < keys:
            raise Refused(f"table {shard.config.name!r}: init names a key twice")
    return Request(shard, number, where, vals, sent - vals_bytes, vals_bytes)


def whole(mail: Mail, name: str) -> int:
    """meta[name], a whole number from 0."""
    value = mail.meta.get(name)
    if type(value) is not int or not 0 <= value < GONE:
        raise Refused(f"{mail.kind} with {name}={value!r}; a whole number from 0 is needed")
    return value


def _range(mail: Mail, shard: Shard) -> range:
    pair = mail.meta["r"]
    if not isinstance(pair, (list, tuple)) or len(pair) != 2 or any(type(x) is not int for x in pair):
        raise Refused(f"{mail.kind} with r={pair!r}; [first key, number of keys] is needed")
    first, count = pair
    if not (count >= 1 and shard.lo <= first and first + count <= shard.hi):
        raise Refused(f"table {shard.config.name!r}: keys {first}..{first + count - 1}; {_owned(shard)}")
    return range(first - shard.lo, first - shard.lo + count)


def _indices(keys: np.ndarray, shard: Shard) -> np.ndarray:
    if keys.dtype != np.int64 or keys.ndim != 1 or not keys.size:
        raise Refused(f"table {shard.config.name!r}: keys is {keys.dtype}{list(keys.shape)}; "
                      f"int64[n] with n >= 1 is needed")
    low, high = int(keys.min()), int(keys.max())
    if low < shard.lo or high >= shard.hi:
        raise Refused(f"table {shard.config.name!r}: key {low if low < shard.lo else high}; {_owned(shard)}")
    return keys - shard.lo


def _vals(vals: np.ndarray, num_keys: int, shard: Shard) -> np.ndarray:
    if vals.dtype != np.float32 or vals.shape != (num_keys, shard.config.dim):
        raise Refused(f"table {shard.config.name!r}: vals is {vals.dtype}{list(vals.shape)}; "
                      f"float32[{num_keys}, {shard.config.dim}] is needed")
    return np.require(vals, requirements="CW")      # a step uses it as scratch


def _owned(shard: Shard) -> str:
    return f"this server owns {shard.lo}..{shard.hi - 1}" if shard.lo < shard.hi else "this server owns no rows"
