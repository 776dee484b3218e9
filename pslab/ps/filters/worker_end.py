"""The worker's end of the filters: its letters are filtered as they are posted, its mail as it is read.

    Outbox ──letter──> WorkerEnd ──> z, vals compressed ──> h, list of keys or its hash ──> comm
    Inbox  <──mail──── WorkerEnd <── rows decompressed  <── "which"? ── "keys", answered here ── comm

A letter that is sent again is filtered again: it brings the same values, and its keys in full.
"""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import torch

from pslab.comm import Comm, Mail

from ..tables import TableConfig
from .base import by_table
from .compression import ValueCompression, decode, encode
from .key_caching import KeyCaching, KeyLists, digest_of
from .significant import Held, SignificantlyModified


class WorkerFilters:
    """The filters of one worker: `comm` to give to what posts and reads letters, `held` gradients by table."""

    def __init__(self, comm: Comm, filters, configs: list[TableConfig], lossy: bool, cache_rows: int = 0):
        chosen = by_table(filters, [config.name for config in configs])
        if chosen and cache_rows:
            raise ValueError(f"cache_rows={cache_rows} beside filters; a table's rows are either cached or filtered: "
                             f"copies take the steps of the gradients as they were pushed")
        for config in configs:
            if ValueCompression in chosen.get(config.name, {}) and config.dtype != "float32":
                raise ValueError(f"filters of table {config.name!r}: its rows are {config.dtype}, and travel so; "
                                 f"ValueCompression is for float32")
        self._names = {number: config.name for number, config in enumerate(configs) if config.name in chosen}
        self.held = {config.name: Held(chosen[config.name][SignificantlyModified].threshold, config.dim)
                     for config in configs if SignificantlyModified in chosen.get(config.name, {})}
        wired = {number: chosen[name] for number, name in self._names.items()
                 if chosen[name].keys() & {KeyCaching, ValueCompression}}
        self.comm = WorkerEnd(comm, wired, lossy) if wired else comm

    def push(self, table: str, keys, vals, whole: bool = False) -> tuple:
        """The part of a push to be sent: (keys, vals). whole: all of it, with what was held back for its keys."""
        held = self.held.get(table)
        if held is None:
            return keys, vals
        return (keys, held.take(keys, vals)) if whole else held.significant(keys, vals)

    def overwritten(self, table: str, keys) -> None:
        """Rows are set: what was held back for them does not count any more."""
        if table in self.held:
            self.held[table].drop(keys)

    def stats(self) -> dict[str, dict[str, int]]:
        """By table with filters: bytes of keys and values saved, pushed rows that were held back, rows held now."""
        saved = self.comm.saved if isinstance(self.comm, WorkerEnd) else {}
        nothing = {"keys_saved_bytes": 0, "vals_saved_bytes": 0}
        return {name: {**saved.get(number, nothing),
                       "rows_held_back": self.held[name].saved_rows if name in self.held else 0,
                       "rows_held": self.held[name].rows if name in self.held else 0}
                for number, name in self._names.items()}


class WorkerEnd:
    """A worker's comm with filters in it. by_number: {table number: {kind: filter}}; lossy: letters are sent again."""

    def __init__(self, comm: Comm, by_number: dict[int, dict], lossy: bool):
        self._comm, self._by_number, self._lossy = comm, by_number, lossy
        self._lists: dict[tuple[int, int], KeyLists] = defaultdict(KeyLists)
        # By table number; before - after, of letters sent the first time (keys, vals) and of rows that came.
        self.saved = {number: {"keys_saved_bytes": 0, "vals_saved_bytes": 0} for number in by_number}

    def __getattr__(self, name: str):
        return getattr(self._comm, name)

    def post(self, dst: int, kind: str, meta: dict | None = None, tensors=(), *, retry: bool = False, **options):
        """As Comm.post, a request filtered."""
        filters = self._by_number.get((meta or {}).get("t"))
        if filters:
            meta, tensors, before = dict(meta), list(tensors), _bytes(tensors)
            with_keys, number = "r" not in meta, meta["t"]
            if ValueCompression in filters:
                self._compress(filters[ValueCompression], kind, meta, tensors)
            after_vals = _bytes(tensors)
            if KeyCaching in filters and with_keys and len(tensors[0]) > 1:
                self._by_hash(filters[KeyCaching], dst, meta, tensors, retry)
            if not retry:
                self.saved[number]["vals_saved_bytes"] += before - after_vals
                self.saved[number]["keys_saved_bytes"] += after_vals - _bytes(tensors)
        if retry:
            options["retry"] = True
        self._comm.post(dst, kind, meta, tensors, **options)

    def poll(self, timeout_s: float | None = None) -> Mail | None:
        deadline_s = None if timeout_s is None else self._comm.now() + timeout_s
        while True:
            mail = self._comm.poll(timeout_s)
            if mail is None or mail.kind != "which":
                return mail if mail is None or "z" not in mail.meta else self._open(mail)
            self._tell(mail)
            if deadline_s is not None:
                timeout_s = max(0.0, deadline_s - self._comm.now())

    def _compress(self, how: ValueCompression, kind: str, meta: dict, tensors: list) -> None:
        if kind in ("push", "pushpull"):
            tensors[-1:] = encode(how.kind, tensors[-1])
            meta["z"] = how.kind
        if kind in ("pull", "pushpull") and how.pulls:
            meta["y"] = how.kind

    def _by_hash(self, how: KeyCaching, dst: int, meta: dict, tensors: list, in_full: bool) -> None:
        keys, lists = tensors[0], self._lists[dst, meta["t"]]
        digest = digest_of(keys)
        if lists.get(digest) is None:
            lists.add(digest, np.array(keys), how.lists)
        elif not in_full:
            tensors[0] = np.array([digest], np.int64)
        meta["h"] = [how.lists, len(keys)]

    def _tell(self, mail: Mail) -> None:
        """A server asks for the list of a hash."""
        number, digest = mail.meta["t"], mail.meta["d"]
        keys = self._lists[mail.src, number].get(digest)
        if keys is None and not self._lossy:
            raise ValueError(f"the server of rank {mail.src} has forgotten a list of keys that this worker sent long "
                             f"ago; it seems to have started again, and where that can be retry_s is needed")
        # Without the list: forget those letters, they come again with their keys.
        self._comm.post(mail.src, "keys", {"t": number, "d": digest}, [] if keys is None else [keys], retry=True)

    def _open(self, mail: Mail) -> Mail:
        """Rows that came compressed."""
        vals = decode(mail.meta["z"], mail.tensors)
        meta = {name: value for name, value in mail.meta.items() if name not in ("z", "t")}
        if mail.meta.get("t") in self.saved:
            self.saved[mail.meta["t"]]["vals_saved_bytes"] += vals.nbytes - _bytes(mail.tensors)
        return Mail(mail.src, mail.kind, meta, [torch.from_numpy(vals)])


def _bytes(tensors) -> int:
    return sum(tensor.nbytes for tensor in tensors)
