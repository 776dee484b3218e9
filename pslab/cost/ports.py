"""Bytes through ports, and the α–β time of a schedule.

                 ┌──────── out_bytes ───────▶
      rank ══════╡ port                        full duplex: the two directions do not disturb each other
                 └◀─────── in_bytes ─────────

    seconds = rounds · α + critical_bytes / bandwidth          α = overhead + latency of one message

Everything here is payload: keys and values, no headers. Byte counts are exact integers, so that they can be compared
with a ledger by `==`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple


class Port(NamedTuple):
    """Bytes (out of, into) one rank. Equal to the pair `ledger.port(rank)` gives."""

    out_bytes: int
    in_bytes: int

    @property
    def busiest(self) -> int:
        """Bytes of the busier direction."""
        return max(self)

    @property
    def both(self) -> int:
        """Bytes of both directions together, the unit of those who do not count per direction."""
        return self.out_bytes + self.in_bytes

    def plus(self, other: Port) -> Port:
        """Direction by direction. (`+` of two tuples would join them.)"""
        return Port(self.out_bytes + other[0], self.in_bytes + other[1])


@dataclass(frozen=True)
class Traffic:
    """One communication pattern: `ports[r]` of rank r; `rounds` messages one after the other on the critical path,
    which together carry `critical_bytes`."""

    ports: tuple[Port, ...]
    rounds: int
    critical_bytes: int

    @property
    def busiest(self) -> int:
        """Bytes in the busiest direction of the busiest port."""
        return max((port.busiest for port in self.ports), default=0)

    @property
    def total(self) -> int:
        """Bytes over all links, each counted once, at its sender."""
        return sum(port.out_bytes for port in self.ports)

    def seconds(self, alpha_s: float, bandwidth_Bps: float) -> float:
        """Time in the α–β model: alpha_s a message, bandwidth_Bps bytes per second of a port in each direction."""
        return alpha_beta_s(self.rounds, self.critical_bytes, alpha_s, bandwidth_Bps)


def alpha_beta_s(rounds: int, critical_bytes: int, alpha_s: float, bandwidth_Bps: float) -> float:
    """rounds·α + bytes/bandwidth. α is overhead + latency of a message; the bandwidth is of a port, per direction."""
    if not 0 <= alpha_s < float("inf"):
        raise ValueError(f"alpha_s={alpha_s}; a number of seconds, 0 or more, is needed")
    if not bandwidth_Bps > 0:
        raise ValueError(f"bandwidth_Bps={bandwidth_Bps}; must be above 0 (bytes per second)")
    return rounds * alpha_s + critical_bytes / bandwidth_Bps


def add_traffic(first: Traffic, then: Traffic) -> Traffic:
    """Two patterns over the same ranks, one after the other."""
    if len(first.ports) != len(then.ports):
        raise ValueError(f"traffic over {len(first.ports)} and over {len(then.ports)} ranks; the same ranks are needed")
    ports = tuple(a.plus(b) for a, b in zip(first.ports, then.ports))
    return Traffic(ports, first.rounds + then.rounds, first.critical_bytes + then.critical_bytes)


def chunk_sizes(elements: int, K: int) -> tuple[int, ...]:
    """Sizes of the K pieces of `torch.tensor_split(x, K)`: the first `elements mod K` hold one element more.

    >>> chunk_sizes(10, 4)
    (3, 3, 2, 2)
    """
    check_count("elements", elements)
    check_count("K", K, 1)
    small, more = divmod(elements, K)
    return tuple(small + (piece < more) for piece in range(K))


def check_count(argument: str, value: int, least: int = 0) -> int:
    """`value` if it is a whole number of at least `least`; else ValueError in the user's words."""
    if isinstance(value, bool) or not hasattr(value, "__index__") or value < least:
        raise ValueError(f"{argument}={value!r}; a whole number of {least} or more is needed")
    return int(value)


def check_counts(argument: str, values: Iterable[int]) -> tuple[int, ...]:
    """Each of `values` checked by `check_count`."""
    return tuple(check_count(f"{argument}[{i}]", value) for i, value in enumerate(values))
