"""α and β of real links, from measured times; and which all-reduce they make the fastest.

    seconds │                         ●  /             one message of n bytes:  seconds = α + n·β
            │                    ●  /
            │               /  ●                       slope β = 1 / bandwidth
            │        ●  /
          α ├──● /                                     height at 0 bytes: α
            └──────────────────────────── bytes
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import fsum, inf, isfinite
from typing import NamedTuple

from .ports import alpha_beta_s, check_count

CANDIDATES = ("ring", "binomial", "halving_doubling", "recursive_doubling")


@dataclass(frozen=True)
class AlphaBeta:
    """A link: alpha_s seconds a message, and bandwidth_Bps bytes per second (β = 1/bandwidth_Bps).

    overhead_s: the part of alpha_s in which the ports are busy; what is left is latency, in which they are free again.
    None: all of it, as the textbooks have it. Only chunks and trees gain by the difference.
    """

    alpha_s: float
    bandwidth_Bps: float
    overhead_s: float | None = None

    def __post_init__(self):
        alpha_beta_s(0, 0, self.alpha_s, self.bandwidth_Bps)             # refuses what is none
        if self.overhead_s is not None and not 0 <= self.overhead_s <= self.alpha_s:
            raise ValueError(f"overhead_s={self.overhead_s}; a part of alpha_s={self.alpha_s} is needed, or None for "
                             f"all of it")

    @property
    def port_alpha_s(self) -> float:
        """Seconds that a message of no bytes keeps its ports busy."""
        return self.alpha_s if self.overhead_s is None else self.overhead_s

    @property
    def latency_s(self) -> float:
        """Seconds of α in which the ports are free again."""
        return self.alpha_s - self.port_alpha_s

    @property
    def beta_s_per_byte(self) -> float:
        """1/bandwidth."""
        return 1 / self.bandwidth_Bps

    def seconds(self, payload_bytes: float, rounds: int = 1) -> float:
        """rounds·α + payload_bytes·β."""
        return alpha_beta_s(rounds, payload_bytes, self.alpha_s, self.bandwidth_Bps)


def fit(measured: Iterable[tuple[float, float]], weights: str | Sequence[float] = "relative") -> AlphaBeta:
    """The α and β that lie closest to measured (bytes, seconds) of single messages: weighted least squares.

    weights  what the squared error of each pair counts: 'relative' 1/seconds², so that 4 KB and 64 MB have equal say
             (errors of timing grow with the time); 'equal' 1, so that the long messages decide; or one number a pair
    returns  the minimum of Σ w·(α + bytes·β − seconds)² with α ≥ 0; ValueError where fewer than two sizes were measured
             or longer messages do not take longer
    """
    pairs = [(float(size), float(seconds)) for size, seconds in measured]
    for size, seconds in pairs:
        if not (isfinite(size) and size >= 0 and isfinite(seconds) and seconds > 0):
            raise ValueError(f"measured has ({size:g} bytes, {seconds:g} s); 0 or more bytes, and more than 0 seconds, "
                             f"are needed")
    if len({size for size, _ in pairs}) < 2:
        raise ValueError(f"measured has {len(pairs)} pairs of {len({size for size, _ in pairs})} sizes; two different "
                         f"sizes, or more, are needed")
    w = _weights(weights, pairs)
    total = fsum(w)
    mean_bytes = fsum(wi * x for wi, (x, _) in zip(w, pairs)) / total
    mean_s = fsum(wi * y for wi, (_, y) in zip(w, pairs)) / total
    spread = fsum(wi * (x - mean_bytes) ** 2 for wi, (x, _) in zip(w, pairs))
    if not spread > 0:
        raise ValueError("weights leave fewer than two sizes; two different sizes, or more, must count")
    beta = fsum(wi * (x - mean_bytes) * (y - mean_s) for wi, (x, y) in zip(w, pairs)) / spread
    alpha = mean_s - beta * mean_bytes
    if alpha < 0:                                        # the best of those with α ≥ 0 has α = 0
        alpha = 0.0
        beta = (fsum(wi * x * y for wi, (x, y) in zip(w, pairs)) / fsum(wi * x * x for wi, (x, _) in zip(w, pairs)))
    if not beta > 0:
        raise ValueError("measured has longer messages that take no longer; no bandwidth can be fitted to that")
    return AlphaBeta(alpha, 1 / beta)


class Best(NamedTuple):
    """The fastest algorithm, and the seconds of each that was compared."""

    algorithm: str
    seconds: dict[str, float]


def best_all_reduce(payload_bytes: float, K: int, alpha_s: float, bandwidth_Bps: float,
                    among: Sequence[str] = CANDIDATES) -> Best:
    """The fastest all-reduce of n = payload_bytes over K ranks in the α–β model; of equally fast ones the first.

    Textbook forms, for any n (pieces of n/K): ring 2(K−1)α + 2(K−1)/K·nβ; binomial 2⌈log2 K⌉(α + nβ); halving_doubling
    2 log2 H·α + 2(H−1)/H·nβ with H = 2^⌊log2 K⌋; recursive_doubling log2 H·(α + nβ); both 2(α + nβ) more when H < K.
    (Halving–doubling has never more rounds or bytes than the tree: in this model the tree is chosen only where it is
    all there is.) For lines with latency, whole elements and the chunked ring: `fastest_all_reduce`.
    """
    check_count("K", K, 1)
    if not 0 <= payload_bytes < float("inf"):
        raise ValueError(f"payload_bytes={payload_bytes}; 0 or more bytes are needed")
    for name in among:
        if name not in CANDIDATES:
            raise ValueError(f"among has {name!r}; allowed: {', '.join(CANDIDATES)}")
    if not among:
        raise ValueError(f"among is empty; one or more of {', '.join(CANDIDATES)} are needed")
    seconds = {name: alpha_beta_s(*_even_form(name, payload_bytes, K), alpha_s, bandwidth_Bps) for name in among}
    return Best(min(seconds, key=seconds.get), seconds)


def ring_from_bytes(K: int, alpha_s: float, bandwidth_Bps: float, instead_of: str = "binomial") -> float:
    """Bytes from which the ring is no slower than the other; 0: always; inf: never.

    Both are rounds·α + c·nβ, so they meet where n = α·bandwidth·(rounds of the ring − rounds) / (c − c of the ring).
    Binomial: α·bandwidth·((K−1) − ⌈log2 K⌉) / (⌈log2 K⌉ − (K−1)/K). With K ≤ 3 the ring has no more rounds than the
    tree and halving_doubling, and wins always; where the other has as few bytes and fewer rounds it never does:
    halving_doubling with K = 2^n ≥ 4, recursive_doubling with K = 2.
    """
    check_count("K", K, 1)
    if instead_of not in CANDIDATES[1:]:
        raise ValueError(f"instead_of={instead_of!r}; allowed: {', '.join(CANDIDATES[1:])}")
    alpha_bytes = alpha_beta_s(1, 0, alpha_s, bandwidth_Bps) * bandwidth_Bps
    (ring_rounds, ring_bytes), (rounds, other_bytes) = _even_form("ring", K, K), _even_form(instead_of, K, K)
    if ring_rounds <= rounds:
        return 0.0
    return alpha_bytes * K * (ring_rounds - rounds) / (other_bytes - ring_bytes) if other_bytes > ring_bytes else inf


def _even_form(name: str, n: float, K: int) -> tuple[int, float]:
    """(rounds, critical bytes) with pieces of n/K."""
    if name == "ring":
        return 2 * (K - 1), 2 * (K - 1) * n / K
    if name == "binomial":
        rounds = 2 * (K - 1).bit_length()
        return rounds, rounds * n
    H = 1 << (K.bit_length() - 1)
    folded = 2 * (K > H)
    if name == "recursive_doubling":
        rounds = H.bit_length() - 1 + folded
        return rounds, rounds * n
    return 2 * (H.bit_length() - 1) + folded, 2 * (H - 1) * n / H + folded * n


def _weights(weights, pairs: list[tuple[float, float]]) -> list[float]:
    if weights == "relative":
        return [seconds**-2 for _, seconds in pairs]
    if weights == "equal":
        return [1.0] * len(pairs)
    if isinstance(weights, str):
        raise ValueError(f"weights={weights!r}; allowed: 'relative', 'equal', or one number for each pair")
    values = [float(weight) for weight in weights]
    if len(values) != len(pairs) or not all(isfinite(weight) and weight >= 0 for weight in values):
        raise ValueError(f"weights has {len(values)} entries; one number of 0 or more for each of the {len(pairs)} "
                         f"pairs is needed")
    if not any(values):
        raise ValueError("weights are all 0; at least two sizes must count")
    return values
