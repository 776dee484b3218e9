"""1.3: speedup and efficiency of strong and of weak scaling, and the serial fraction that Amdahl's law says was there.

    strong: the same work on K machines            weak: K times the work on K machines
        speedup T(1)/T(K), efficiency /K               scaled speedup K·T(1)/T(K), efficiency T(1)/T(K)

    T(K) = T(1)·(f + (1 − f)/K)                    f from two or more times, T(1) among them or not
"""

from __future__ import annotations

import math

from pslab.grade import Case, Criterion, Exercise, Misconception, Verdict, contracts

from .lab1_ports import FORBIDDEN

RTOL = 1e-6


def speedup_and_efficiency(times: dict[int, float], weak: bool) -> dict[int, tuple[float, float]]:
    """The reference."""
    one_s = times[1]
    return {K: (K * one_s / t, one_s / t) if weak else (one_s / t, one_s / (K * t)) for K, t in times.items()}


def serial_fraction(times: dict[int, float]) -> float:
    """The reference: two times decide, since they are exact."""
    (k, a), (m, b) = sorted(times.items())[::len(times) - 1]
    parallel_s = (a - b) / (1 / k - 1 / m)
    serial_s = a - parallel_s / k
    return serial_s / (serial_s + parallel_s)


def amdahl(one_s: float, f: float, ks) -> dict[int, float]:
    return {K: one_s * (f + (1 - f) / K) for K in ks}


# ---- what is believed -----------------------------------------------------------------------------------------------

def _each(rule):
    return lambda times, weak: {K: rule(K, t, times[1], weak) for K, t in times.items()}


BELIEFS = {
    "1/weak-is-strong": _each(lambda K, t, one, weak: (one / t, one / (K * t))),
    "1/strong-is-weak": _each(lambda K, t, one, weak: (K * one / t, one / t)),
    "1/speedup-is-k": _each(lambda K, t, one, weak: (float(K), 1.0)),
    "1/upside-down": _each(lambda K, t, one, weak: (t / (K * one), t / one) if weak else (t / one, K * t / one)),
    "1/efficiency-is-speedup": _each(lambda K, t, one, weak: (K * one / t,) * 2 if weak else (one / t,) * 2),
    "1/in-per-cent": _each(lambda K, t, one, weak: (K * one / t, 100 * one / t) if weak else
                           (one / t, 100 * one / (K * t))),
    "1/saved-time": _each(lambda K, t, one, weak: (1 - t / one, (1 - t / one) / K)),
    "1/other-way-round": _each(lambda K, t, one, weak: (one / t, K * one / t) if weak else (one / (K * t), one / t)),
}


def _at(times, place: int) -> tuple[int, float]:
    return sorted(times.items())[place]


def _one(times) -> float:
    """T(1) as those take it who believe that the smallest number of machines is one."""
    return _at(times, 0)[1]


FIT_BELIEFS = {
    "1/parallel-part": lambda times: 1 - serial_fraction(times),
    "1/serial-seconds": lambda times: serial_fraction(times) * _total(times),
    "1/limit-for-fraction": lambda times: 1 / serial_fraction(times),
    "1/efficiency-for-fraction": lambda times: 1 - _one(times) / (_at(times, -1)[0] * _at(times, -1)[1]),
    "1/last-time-is-serial": lambda times: _at(times, -1)[1] / _one(times),
    "1/first-is-one-machine": lambda times: serial_fraction({1: _one(times), _at(times, -1)[0]: _at(times, -1)[1]}),
}


def _total(times) -> float:
    """Seconds on one machine."""
    (k, a), (m, b) = _at(times, 0), _at(times, -1)
    parallel_s = (a - b) / (1 / k - 1 / m)
    return a - parallel_s / k + parallel_s


def _ks(rng, one: bool, least: int = 3) -> list[int]:
    """A few different numbers of machines, in any order."""
    found = {int(K) for K in rng.integers(2, 130, 6)}
    while len(found) < least:
        found.add(int(rng.integers(2, 130)))
    found = [*sorted(found)[:5], *([1] if one else [])]
    return [found[i] for i in rng.permutation(len(found))]


def scalings(rng, count: int) -> list[tuple[dict, bool]]:
    """(times, weak): times of a job whose wire grows with the machines, in any order of K."""
    asked = []
    for place in range(count):
        weak = bool(place % 2)
        one_s, wire_s = float(rng.uniform(1, 100)), float(rng.uniform(0.01, 0.2))
        asked.append(({K: one_s * ((1 if weak else 1 / K) + wire_s * math.log2(K)) for K in _ks(rng, True)}, weak))
    return asked


def fits(rng, count: int) -> list[tuple[dict]]:
    """Times with a known serial fraction; the time of one machine is there in every other question."""
    return [(amdahl(float(rng.uniform(1, 1000)), float(rng.uniform(0.005, 0.9)), _ks(rng, place % 2 == 0)),)
            for place in range(count)]


EXAMPLE = {1: 100.0, 5: 30.0}
_STRONG = ({1: 64.0, 2: 36.0, 4: 25.6, 8: 25.6, 16: 40.0}, False)
_WEAK = ({1: 64.0, 2: 66.0, 4: 70.4, 8: 80.0, 16: 102.4}, True)


def _scaled(asked):
    return contracts.formula("speedup_and_efficiency", asked, speedup_and_efficiency, rtol=RTOL,
                             otherwise="1/scaling-miscounted", explains=BELIEFS)


def _fitted(asked):
    return contracts.formula("serial_fraction", asked, serial_fraction, rtol=RTOL, otherwise="1/fit-miscounted",
                             explains=FIT_BELIEFS)


def elsewhere(answers, case: Case) -> Verdict:
    verdict = _scaled(lambda case: scalings(case.rng, 10))(answers, case)
    return verdict if not verdict.passed else _fitted(lambda case: fits(case.rng, 10))(answers, case)


SCALING = Exercise(
    id="1.3", lab="1", title="Speedup, efficiency, and Amdahl's f", names=("speedup_and_efficiency", "serial_fraction"),
    signature="def speedup_and_efficiency(times: dict[int, float], weak: bool) -> dict[int, tuple[float, float]]; "
              "def serial_fraction(times: dict[int, float]) -> float",
    points=10, minutes=10, difficulty=1, core=True, prerequisites=(), chapter_number="11.1.3",
    forbidden=FORBIDDEN,
    goal="times is {K: seconds on K machines}, in any order. speedup_and_efficiency: {K: (speedup, efficiency)} of "
         "every K, for weak=False of the same work on all K (strong scaling), for weak=True of K times the work on K "
         "machines (scaled speedup). serial_fraction: the f of Amdahl's law T(K) = T(1)(f + (1-f)/K) that these "
         "strong-scaling times keep to; K = 1 need not be among them. All to one part in a million.",
    example=f"speedup_and_efficiency({EXAMPLE}, False)[5] -> (3.333, 0.667); serial_fraction({EXAMPLE}) -> "
            f"{serial_fraction(EXAMPLE):.3f}",
    hints=(
        "Which job would be perfect? Strong: a K-th of the time. Weak: the same time. Efficiency is 1 for it, speedup "
        "K, "
        "in both.",
        "Speedup is efficiency times K. For f write T(K) = a + b/K: a is serial seconds, b those that are divided.",
        "Two times give a and b: b = (T(k) - T(m)) / (1/k - 1/m), a = T(k) - b/k. T(1) is a + b, and f is a share of "
        "it.",
    ),
    misconceptions=(
        Misconception("1/weak-is-strong", "You used the formula of strong scaling for times of weak scaling; there K "
                      "machines did K times the work, and the same time is perfect."),
        Misconception("1/strong-is-weak", "You used the formula of weak scaling for times of strong scaling; there the "
                      "work is the same, and only a K-th of the time is perfect."),
        Misconception("1/speedup-is-k", "K machines are not K times as fast by being there; the times say how much "
                      "they gained."),
        Misconception("1/upside-down", "This ratio is upside down; a speedup above 1 means faster."),
        Misconception("1/efficiency-is-speedup", "Efficiency is the speedup divided by the number of machines."),
        Misconception("1/in-per-cent", "The efficiency is asked as a share from 0 to 1, not in per cent."),
        Misconception("1/saved-time", "You computed the share of the time that is saved; speedup is T(1) over T(K)."),
        Misconception("1/other-way-round", "The pair is the other way round: speedup first, efficiency second."),
        Misconception("1/scaling-miscounted", "This is neither of the two; for K = 1 both are 1, whatever the times."),
        Misconception("1/parallel-part", "This is 1 - f, the share that is divided; asked is the serial one."),
        Misconception("1/serial-seconds", "These are the serial seconds; f is their share of the time on one machine."),
        Misconception("1/limit-for-fraction", "This is 1/f, the speedup that no number of machines passes."),
        Misconception("1/efficiency-for-fraction", "You took the lost efficiency for f; a machine that waits wastes "
                      "itself, the serial part is a share of one machine's time."),
        Misconception("1/last-time-is-serial", "The time on the most machines still has a K-th of the parallel part "
                      "in it."),
        Misconception("1/first-is-one-machine", "You took the smallest K for one machine; where K = 1 is missing, T(1) "
                      "has to be computed first."),
        Misconception("1/fit-miscounted", "These times do not keep to Amdahl's law with this f; put it in and look at "
                      "two of them."),
    ),
    criteria=(
        Criterion("strong scaling", _scaled(lambda case: [_STRONG, *scalings(case.rng, 6)[::2]]), 2),
        Criterion("weak scaling", _scaled(lambda case: [_WEAK, *scalings(case.rng, 6)[1::2]]), 2),
        Criterion("Amdahl's f", _fitted(lambda case: [(EXAMPLE,), *fits(case.rng, 5)]), 4),
        Criterion("other times", elsewhere, 2, hidden=True),
    ),
)
