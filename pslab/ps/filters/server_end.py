"""The server's end of the filters: letters are opened before the server sees them, rows wrapped as they were asked for.

    worker                    ServerEnd                                     KVServer, an aggregator
    push h z: hash, vals' ──> list known? ── yes ──> keys, vals ──────────> handle
                              │ no
                       <──────┴ "which" {t d}        held back, with all that this worker sends after it
    "keys" {t d}: list ──>    remembered; what was held back is opened ───> handle
    pull y         ───────────────────────────────────────────────────────> handle
                   <── rows z: vals' ── compressed as y said <───────────── rows

What a letter is filtered with stands in the letter, so a server needs no settings; one without filters passes through.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable

import numpy as np
import torch

from pslab.comm import Mail

from ..dtypes import copy_of
from .compression import KINDS, decode, encode, tensors_of
from .key_caching import MOST, KeyLists, digest_of

_WISHES = 1 << 14       # compressed answers that are owed; the oldest wish is forgotten first, and answered in float32


class ServerEnd:
    """A server's filters: pure, letters in and letters out. rank: the server's own."""

    def __init__(self, rank: int):
        self._rank = rank
        self._lists: dict[tuple[int, int], KeyLists] = defaultdict(KeyLists)
        self._held: dict[int, deque[Mail]] = defaultdict(deque)     # by worker: the first waits for a list of keys
        self._wishes: OrderedDict[tuple, tuple[int, str]] = OrderedDict()

    def open(self, mail: Mail) -> tuple[list[Mail], list[tuple[int, Mail]]]:
        """(letters that may be dealt with now, in their order; answers to post) when a worker's letter came."""
        meta = mail.meta
        if mail.kind != "keys" and not ("h" in meta or "z" in meta or "y" in meta or self._held.get(mail.src)):
            return [mail], []                                       # mostly
        return self._take(mail)

    def handle(self, mail: Mail, act: Callable[[Mail], list[tuple[int, Mail]]]) -> list[tuple[int, Mail]]:
        """What a server's `handle` is around act, which deals with one letter and gives its answers."""
        letters, out = self.open(mail)
        for letter in letters:
            answers = act(letter)
            if len(letters) > 1:                    # views of rows that the next letter may change
                for _, answer in answers:
                    answer.tensors = [copy_of(tensor) for tensor in answer.tensors]
            out += answers
        return self.wrap(out)

    def wrap(self, answers: list[tuple[int, Mail]]) -> list[tuple[int, Mail]]:
        """The server's answers as they travel: rows compressed where the pull asked for it."""
        if self._wishes:
            for dst, answer in answers:
                self._compress(dst, answer)
        return answers

    def _compress(self, dst: int, answer: Mail) -> None:
        meta = answer.meta
        if answer.kind not in ("rows", "error"):
            return
        wish = self._wishes.pop((dst, meta.get("n", 0), meta["q"], _is_write(answer.kind, meta)), None)
        if wish is not None and answer.kind == "rows":
            answer.meta = {**meta, "z": wish[1], "t": wish[0]}
            answer.tensors = encode(wish[1], answer.tensors[0])

    # ---- letters that come ----------------------------------------------------------------------------------------

    def _take(self, mail: Mail) -> tuple[list[Mail], list[tuple[int, Mail]]]:
        held, ready = self._held[mail.src], []
        if mail.kind == "keys":
            self._learn(mail, held)
        else:
            mail.tensors = list(mail.tensors)       # now: they may not outlast the server's answer (Mail.release)
            held.append(mail)
            if held[0] is not mail and "h" in mail.meta and _hash_in(mail) is None:
                self._remember(mail.src, mail.meta.get("t"), mail.tensors[0].numpy(), MOST)     # it may free the first
        while held and (opened := self._opened(held[0])) is not None:
            ready.append(opened)
            held.popleft()
        if not held:
            return ready, []
        # Asked for at every letter that comes: a question may be lost, and where letters can be, what waits may be one
        # that was answered meanwhile and will not be sent again.
        return ready, [(mail.src, Mail(self._rank, "which", {"t": held[0].meta["t"], "d": _hash_in(held[0])}))]

    def _learn(self, mail: Mail, held: deque[Mail]) -> None:
        """A list that was asked for; or its worker has lost it, and will send the letters of its hash again."""
        number, digest = mail.meta.get("t"), mail.meta.get("d")
        if mail.tensors:
            self._remember(mail.src, number, mail.tensors[0].numpy(), MOST)
            return
        for letter in [letter for letter in held if (letter.meta.get("t"), _hash_in(letter)) == (number, digest)]:
            held.remove(letter)

    def _remember(self, src: int, number: int, keys: np.ndarray, capacity: int) -> None:
        self._lists[src, number].add(digest_of(keys), keys, capacity)

    def _opened(self, mail: Mail) -> Mail | None:
        """The letter as it was before the filters; None when its keys are not known.

        One that no filter can have made becomes one that a server refuses.
        """
        meta = mail.meta
        if not ("h" in meta or "z" in meta or "y" in meta):
            return mail
        tensors = list(mail.tensors)
        try:
            if "h" in meta:
                keys = self._keys(mail)
                if keys is None:
                    return None
                tensors[0] = torch.from_numpy(keys)
            if "z" in meta:
                count = tensors_of(meta["z"])
                tensors[-count:] = [torch.from_numpy(decode(meta["z"], tensors[-count:]))]
            if meta.get("y", KINDS[0]) not in KINDS:
                raise ValueError(f"y={meta['y']!r}")
        except (ValueError, TypeError, IndexError, KeyError) as why:
            return Mail(mail.src, f"{mail.kind} (filtered: {why})", meta, [])
        if "y" in meta and isinstance(meta.get("q"), int):
            self._wishes[mail.src, meta.get("n", 0), meta["q"], mail.kind != "pull"] = meta["t"], meta["y"]
            if len(self._wishes) > _WISHES:
                self._wishes.popitem(last=False)
        return Mail(mail.src, mail.kind, {name: meta[name] for name in meta if name not in ("h", "z", "y")}, tensors)

    def _keys(self, mail: Mail) -> np.ndarray | None:
        """The keys of a letter with h: those of its hash (None when unknown), or its own, which are remembered."""
        (capacity, count), digest = mail.meta["h"], _hash_in(mail)
        lists = self._lists[mail.src, mail.meta["t"]]
        keys = mail.tensors[0].numpy() if digest is None else lists.get(digest)
        if keys is not None and len(keys) != count:
            raise ValueError(f"h={mail.meta['h']} with {len(keys)} keys")
        if digest is None:
            self._remember(mail.src, mail.meta["t"], keys, min(capacity, MOST))
        return keys


def _hash_in(mail: Mail) -> int | None:
    """The hash that a letter brings in place of its keys; None when it brings the keys, or no filter was at work."""
    if isinstance(mail.meta.get("h"), list) and mail.tensors and mail.tensors[0].dtype == torch.int64 \
            and tuple(mail.tensors[0].shape) == (1,):
        return int(mail.tensors[0][0])
    return None


def _is_write(kind: str, meta: dict) -> bool:
    """Whether an answer is to a request that is numbered among the writes (pushpull), not among the pulls."""
    return meta.get("k") != "pull" if kind == "error" else bool(meta.get("a"))
