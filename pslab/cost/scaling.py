"""Speedup, efficiency, and what Amdahl's and Gustafson's laws say about them.

    strong scaling: the same work on more processes          weak scaling: K times the work on K processes
        speedup      T(1) / T(K)        ideal K                  efficiency       T(1) / T(K)        ideal 1
        efficiency   T(1) / (K·T(K))    ideal 1                  scaled speedup   K·T(1) / T(K)      ideal K

    Amdahl (1967):     T(K) = T(1)·(f + (1 − f)/K), f the serial fraction: speedup ≤ 1/f however many processes
    Gustafson (1988):  the parallel part grows with K: scaled speedup K − f·(K − 1), f the serial share of the run on K

The two are different questions; asking the one of the other's times gives nonsense that looks like an answer.
`times` is {K: seconds}; K = 1 must be among them, except for a fit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .ports import check_count


@dataclass(frozen=True)
class Amdahl:
    """serial_s + parallel_s / K, fitted. residual: the largest |fitted − measured| / measured."""

    serial_s: float
    parallel_s: float
    residual: float

    @property
    def serial_fraction(self) -> float:
        """f: the share of one process's time that more processes do not shorten."""
        return self.serial_s / (self.serial_s + self.parallel_s)

    @property
    def limit(self) -> float:
        """1/f: the speedup that no number of processes passes; infinity where nothing is serial."""
        return 1 / self.serial_fraction if self.serial_s > 0 else float("inf")

    def seconds(self, K: int) -> float:
        return self.serial_s + self.parallel_s / check_count("K", K, 1)

    def speedup(self, K: int) -> float:
        return self.seconds(1) / self.seconds(K)


def strong_scaling(times: Mapping[int, float]) -> dict[int, tuple[float, float]]:
    """{K: (speedup, efficiency)} of the same work on K processes."""
    one_s = _checked(times, one=True)[1]
    return {K: (one_s / time_s, one_s / (K * time_s)) for K, time_s in sorted(times.items())}


def weak_scaling(times: Mapping[int, float]) -> dict[int, tuple[float, float]]:
    """{K: (scaled speedup, efficiency)} of K times the work on K processes."""
    one_s = _checked(times, one=True)[1]
    return {K: (K * one_s / time_s, one_s / time_s) for K, time_s in sorted(times.items())}


def amdahl_speedup(serial_fraction: float, K: int) -> float:
    """1 / (f + (1 − f)/K)."""
    return 1 / (_fraction(serial_fraction) + (1 - serial_fraction) / check_count("K", K, 1))


def gustafson_speedup(serial_fraction: float, K: int) -> float:
    """K − f·(K − 1)."""
    return check_count("K", K, 1) - _fraction(serial_fraction) * (K - 1)


def fit_amdahl(times: Mapping[int, float]) -> Amdahl:
    """Least squares of T(K) = serial + parallel/K over strong-scaling times of at least two different K.

    A negative serial part (superlinear speedup, or times that are no strong scaling) is given as it comes out; a
    negative parallel part too: there more processes are slower, and no f between 0 and 1 describes that.
    """
    times = _checked(times, one=False)
    if len(times) < 2:
        raise ValueError(f"times={dict(times)}; at least two different numbers of processes are needed")
    x, y = [1 / K for K in times], list(times.values())
    mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
    parallel_s = sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y)) / sum((a - mean_x) ** 2 for a in x)
    serial_s = mean_y - parallel_s * mean_x
    residual = max(abs(serial_s + parallel_s * a - b) / b for a, b in zip(x, y))
    return Amdahl(serial_s, parallel_s, residual)


def processes_to_beat_one(times: Mapping[int, float]) -> int | None:
    """The least K > 1 that was faster than one process; None when none was."""
    one_s = _checked(times, one=True)[1]
    return min((K for K, time_s in times.items() if K > 1 and time_s < one_s), default=None)


def _checked(times: Mapping[int, float], one: bool) -> Mapping[int, float]:
    for K, time_s in times.items():
        check_count("a key of times", K, 1)
        if not 0 < time_s < float("inf"):
            raise ValueError(f"times[{K}]={time_s!r}; seconds above 0 are needed")
    if one and 1 not in times:
        raise ValueError(f"times has K = {', '.join(map(str, times)) or 'nothing'}; the time of one process, K = 1, is "
                         f"what all others are compared with")
    return times


def _fraction(value: float) -> float:
    if not 0 <= value <= 1:
        raise ValueError(f"serial_fraction={value!r}; a share from 0 to 1 is needed")
    return value
