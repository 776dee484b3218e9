"""The three exchanges of a step, all of them all_to_all.

    input_dist      asks       requester ──ids──> owner        4 bytes an id (the row's number in the owner's store)
    output_dist     answers    owner ──rows or sums──> requester
    gradient_dist   gradients  requester ──one for each unit──> owner

Of the G groups of a plan one message holds all. Bytes from rank r to rank o, where n are the ids of an ask, u the units
of its answer (dedup: u = n distinct rows; else the parts of bags at that owner that are not empty) and row the bytes of
a row on its wire (4·D, 2·D, D + 8), all summed over the groups:

    ids         dedup   4·(1 + G) + 4·n
                else    4·(1 + 2·G) + 4·n, + 4·u where a bag has several ids there, + 4·n with weights
    rows        back from o to r: row·u
    gradients   row·u

A batch that one rank cannot look up (an id out of range) makes input_dist a ValueError on every rank, and nothing has
changed: what travels then is the text, so that nobody waits for a rank that has given up.
"""

from __future__ import annotations

import numpy as np
import torch

from pslab.collectives import all_to_all
from pslab.comm import Comm

from .owner import Ask

_FINE = 0


def input_dist(comm: Comm, asks: list[list[Ask]] | None, groups: int, dedup: bool, weighted: bool = False,
               error: str = "") -> list[list[Ask]]:
    """asks[g][o]: what this rank wants of owner o in group g. Returns asked[r][g]: what rank r wants of this one.

    asks=None with an error: this rank has nothing to ask, as its batch is bad. ValueError on all ranks then.
    """
    if asks is None:
        messages = [_failure(error)] * comm.world_size
    else:
        messages = [_empty() if o == comm.rank else _packed([group[o] for group in asks])
                    for o in range(comm.world_size)]
    received = all_to_all(comm, messages)
    if asks is None:
        raise ValueError(error)
    for rank, text in enumerate(map(_failed, received)):
        if text:
            raise ValueError(f"rank {rank} brought a batch that cannot be looked up: {text}")
    return [[group[rank] for group in asks] if rank == comm.rank else _unpacked(message, groups, dedup, weighted)
            for rank, message in enumerate(received)]


def value_dist(comm: Comm, messages: list[torch.Tensor]) -> list[torch.Tensor]:
    """Answers or gradients: messages[q] goes to rank q; what is for oneself is handed over as it is."""
    own = messages[comm.rank]
    received = all_to_all(comm, [own[:0] if rank == comm.rank else message for rank, message in enumerate(messages)])
    received[comm.rank] = own
    return received


def _packed(asks: list[Ask]) -> torch.Tensor:
    """One int32 message; weights as the bits of their float32."""
    pooled = any(ask.lengths is not None for ask in asks)
    counts = [n for ask in asks for n in ((len(ask.ids), ask.units) if pooled else (len(ask.ids),))]
    parts = [torch.tensor([_FINE, *counts], dtype=torch.int32)]
    for ask in asks:
        parts.append(ask.ids)
        if ask.units != len(ask.ids):                  # as many bags as ids: each has one, no need to say it
            parts.append(ask.lengths)
        if ask.weights is not None:
            parts.append(ask.weights.view(torch.int32))
    return torch.cat(parts)


def _unpacked(message: torch.Tensor, groups: int, dedup: bool, weighted: bool) -> list[Ask]:
    if dedup:
        return [Ask(ids) for ids in torch.split(message[1 + groups:], message[1:1 + groups].tolist())]
    asks, place = [], 1 + 2 * groups
    counts = message[1:place].tolist()

    def take(count: int) -> torch.Tensor:
        nonlocal place
        place += count
        return message[place - count:place]

    for n, units in zip(counts[::2], counts[1::2]):
        ids = take(n)
        lengths = take(units) if units != n else torch.ones(n, dtype=torch.int32)
        asks.append(Ask(ids, lengths, take(n).view(torch.float32) if weighted else None))
    return asks


def _empty() -> torch.Tensor:
    return torch.empty(0, dtype=torch.int32)


def _failure(text: str) -> torch.Tensor:
    """-(bytes of the text), then the text, filled up with spaces."""
    raw = text.encode()
    raw += b" " * (-len(raw) % 4)
    return torch.cat([torch.tensor([-len(raw)], dtype=torch.int32),
                      torch.from_numpy(np.frombuffer(raw, np.int32).copy())])


def _failed(message: torch.Tensor) -> str:
    if len(message) == 0 or int(message[0]) >= 0:
        return ""
    return message[1:].numpy().tobytes().decode().rstrip()
