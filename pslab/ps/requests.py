"""Reading a worker's letter: everything a server demands of it, before anything changes.

    meta {t q c n [r]}, tensors [keys] vals   ──parse──>   Request(shard, number, where, vals)   or Refused
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pslab.comm import Mail

from .clocks import GONE
from .dtypes import values_of
from .keys import is_ascending, sum_equal
from .shard import Shard


class Refused(ValueError):
    """Mail that a server does not act upon; the text goes back to its sender."""


class Again(Mail):
    """An answer that was given before: what it costs is counted as retransmission."""


class Request(NamedTuple):
    """`where`: what the shard calls these rows (Shard.where), distinct where vals come along. vals (n, dim) float32."""

    shard: Shard
    number: int
    where: range | np.ndarray
    vals: np.ndarray | None
    keys_bytes: int
    vals_bytes: int
    stamps: np.ndarray | None = None        # of a pull by a worker with a cache: (h,), for its first h keys
    both: bool = False                      # the pull in a pushpull, numbered among the writes


class Asked(NamedTuple):
    """A pull, and what its answer depends on: the life of the worker that asks, its clock, its writes so far."""

    src: int
    life: int
    clock: int
    after_write: int
    request: Request


def parse(mail: Mail, shards: list[Shard]) -> Request:
    """The request in a push, pushpull, pull, init or set. Rows of equal keys in a push are summed here."""
    table, number = whole(mail, "t"), whole(mail, "q")
    if table >= len(shards):
        raise Refused(f"table number {table}; this server has tables 0..{len(shards) - 1}")
    if number < 1:
        raise Refused(f"q={number}; requests are numbered from 1")
    try:
        shard, arrays = shards[table], mail.views()
    except ValueError as why:
        raise Refused(str(why)) from None
    by_range, is_pull = "r" in mail.meta, mail.kind == "pull"
    stamps = arrays.pop() if is_pull and not by_range and len(arrays) == 2 else None
    if stamps is not None and (stamps.dtype != np.int64 or stamps.ndim != 1 or len(stamps) > len(arrays[0])):
        raise Refused(f"a pull brings 2 tensors, the second {stamps.dtype}{list(stamps.shape)}; beside keys only "
                      f"int64 stamps of copies are taken, at most one a key")
    if len(arrays) != (not by_range) + (not is_pull):
        needed = [*([] if by_range else ["keys"]), *([] if is_pull else ["vals"])]
        raise Refused(f"a {mail.kind} {'of a range ' if by_range else ''}brings {len(arrays)} tensors; needed: "
                      f"{', '.join(needed) or 'none'}")
    keys = _range(mail, shard) if by_range else _keys(arrays[0], shard)
    where = shard.where(keys)
    if where is None:
        raise Refused(_not_owned(keys, shard))
    keys_bytes = 0 if by_range else keys.nbytes + (0 if stamps is None else stamps.nbytes)
    if is_pull:
        return Request(shard, number, where, None, keys_bytes, 0, stamps)
    vals = _vals(mail, arrays[-1], len(keys), shard)
    vals_bytes = arrays[-1].nbytes
    if not by_range and not is_ascending(keys):
        if mail.kind == "pushpull":
            raise Refused(f"table {shard.config.name!r}: the keys of a pushpull must ascend")
        where, vals = sum_equal(where, vals)
        if mail.kind != "push" and len(where) < len(keys):
            raise Refused(f"table {shard.config.name!r}: {mail.kind} names a key twice")
    return Request(shard, number, where, vals, keys_bytes, vals_bytes)


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
    if count < 1 or not -2**63 <= first <= 2**63 - count:
        raise Refused(f"table {shard.config.name!r}: keys {first}..{first + count - 1}; at least one 64-bit key is "
                      f"needed")
    return range(first, first + count)


def _keys(keys: np.ndarray, shard: Shard) -> np.ndarray:
    if keys.dtype != np.int64 or keys.ndim != 1 or not keys.size:
        raise Refused(f"table {shard.config.name!r}: keys is {keys.dtype}{list(keys.shape)}; "
                      f"int64[n] with n >= 1 is needed")
    return keys if keys.flags.writeable else keys.copy()              # it lies in the worker's memory


def _vals(mail: Mail, vals: np.ndarray, num_keys: int, shard: Shard) -> np.ndarray:
    """(n, dim) float32: to be used as scratch, or read-only where it lies in the worker's memory."""
    dtype, seen = shard.config.dtype, str(vals.dtype)
    if seen == "uint16":
        seen = str(mail.tensors[-1].dtype).removeprefix("torch.")
    if seen != dtype or vals.shape != (num_keys, shard.config.dim):
        raise Refused(f"table {shard.config.name!r}: vals is {seen}{list(vals.shape)}; "
                      f"{dtype}[{num_keys}, {shard.config.dim}] is needed")
    return values_of(vals, dtype)


def _not_owned(keys: np.ndarray | range, shard: Shard) -> str:
    table = f"table {shard.config.name!r}"
    if not isinstance(shard.owned, range):
        which = f"keys {keys.start}..{keys.stop - 1}" if isinstance(keys, range) else "keys of a letter"
        return f"{table}: {which}; some of them are not this server's"
    owned = shard.owned
    mine = f"this server owns {owned.start}..{owned.stop - 1}" if owned else "this server owns no rows"
    if isinstance(keys, range):
        return f"{table}: keys {keys.start}..{keys.stop - 1}; {mine}"
    low, high = int(keys.min()), int(keys.max())
    return f"{table}: key {low if low < owned.start else high}; {mine}"
