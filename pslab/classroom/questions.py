"""Exit questions: one number each, from a seed, so that a row may have another one than the row behind it.

    exit_question("11.9", seed=3)  ->  Question(text, answer, unit, wrong)      every figure from pslab.cost
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from pslab import cost


@dataclass(frozen=True)
class Question:
    """`answer` in `unit`, right within 1 %; `wrong`: the answers to expect, each with what was thought."""

    chapter: str
    seed: int
    text: str
    answer: float
    unit: str
    wrong: tuple[tuple[float, str], ...]

    def right(self, number: float) -> bool:
        """Whether a number is the answer, within 1 %."""
        return abs(number - self.answer) <= 0.01 * abs(self.answer)


def exit_question(chapter: str = "11.9", seed: int = 0) -> Question:
    """The exit question of a chapter; the same seed always gives the same one."""
    if chapter not in _MAKERS:
        raise ValueError(f"chapter {chapter!r} has no exit question; there are: {', '.join(_MAKERS)}")
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise ValueError(f"seed={seed!r}; a whole number, 0 or more, is needed")
    return _MAKERS[chapter](random.Random(f"{chapter}/{seed}"), seed)


def _dense_ratio(rng: random.Random, seed: int) -> Question:
    """Busiest port of S servers over that of the ring, both in one direction."""
    S = rng.choice((3, 4, 5))  # not 2: there both wrong answers would be the same number
    K = S * rng.choice((2, 3, 4, 5, 6))
    million = rng.choice((30, 60, 120, 240))
    elements = million * 10**6
    ring, servers = cost.ring_all_reduce(elements, K), cost.parameter_server(elements, K, S)
    one = cost.parameter_server(elements, K, 1)
    text = (f"{K} workers train a dense model of {million} million float32 parameters. How many times as many bytes "
            f"does the busiest port carry with {S} servers as with a ring all-reduce, counted in one direction on both "
            "sides?")
    wrong = ((2 * servers.busiest / ring.busiest, "both directions at the server, one at the ring"),
             (one.busiest / ring.busiest, f"one server in place of {S}"))
    return Question("11.9", seed, text, servers.busiest / ring.busiest, "times", wrong)


def _ring_time(rng: random.Random, seed: int) -> Question:
    """Seconds of a ring all-reduce, from α, the bandwidth and the size."""
    K, alpha_us, piece_us = rng.choice((5, 6, 8, 10, 16)), rng.choice((10, 20, 50)), rng.choice((40, 80, 120))
    bytes_per_us = 12_500
    tensor_bytes = K * piece_us * bytes_per_us
    ring = cost.ring_all_reduce(tensor_bytes // 4, K)
    answer_us = 1e6 * ring.seconds(alpha_us * 1e-6, bytes_per_us * 1e6)
    text = (f"{K} ranks all-reduce a tensor of {tensor_bytes / 1e6:g} MB in a ring. A message costs {alpha_us} µs "
            f"before its first byte, and a port carries {bytes_per_us / 1e3:g} GB/s in each direction. How many "
            "microseconds does it take?")
    wrong = ((ring.rounds * (alpha_us + K * piece_us), "the whole tensor in every round"),
             (answer_us / 2, "half of the rounds: a reduce-scatter without the all-gather"))
    return Question("11.0", seed, text, answer_us, "µs", wrong)


def _modulo_movement(rng: random.Random, seed: int) -> Question:
    """Bytes that travel when a server comes and keys go to their hash modulo S: S/(S + 1) of the rows, with state."""
    S, rows, dim = rng.choice((4, 7, 9, 11, 15, 19)), 1_000_000 * rng.choice((20, 40, 60, 80)), rng.choice((16, 32, 64))
    both = 2 * 4 * dim                      # AdaGrad keeps a sum of squares for each number
    text = (f"{S} servers hold {rows // 10**6} million rows of {dim} float32 numbers under AdaGrad, and one more "
            f"server comes. A key goes to its mixed bits modulo the number of servers. How many GB travel?")
    moved = rows * S / (S + 1)
    wrong = ((round(moved * both / 2 / 1e9, 2), "the rows without the state of their rule"),
             (round(rows / (S + 1) * both / 1e9, 2), "what the new server gets, and a ring would move"))
    return Question("11.3", seed, text, moved * both / 1e9, "GB", wrong)


def _request_bytes(rng: random.Random, seed: int) -> Question:
    """Keys and values of a pull and a push of the same rows, with key caching and a new list."""
    rows, dim = 100 * rng.choice((2, 3, 5, 6, 8)), rng.choice((2, 3, 4, 6, 8))
    keys, values = 8 * rows, 4 * dim * rows
    text = (f"A worker pulls {rows} rows of {dim} float32 numbers by a list of 8-byte keys, then pushes gradients for "
            "the same rows. The server remembers lists of keys by a hash of 8 bytes, and has not seen this one. How "
            "many bytes of keys and values travel in all, there and back?")
    wrong = ((2 * keys + 2 * values, "the keys twice: without key caching"),
             (8 + 8 + 2 * values, "no keys at all: a list that the server knows"))
    return Question("11.2", seed, text, keys + 8 + 2 * values, "B", wrong)


def _persistent_straggler(rng: random.Random, seed: int) -> Question:
    """Seconds of a job under SSP with one worker that is slow for good: those of that worker, whatever s is."""
    K, steps, step_s = rng.choice((4, 8, 16)), rng.choice((60, 120, 240)), rng.choice((0.25, 0.5, 2.0))
    factor, s = rng.choice((3, 4, 5)), rng.choice((8, 12, 16))     # less slack would be within 1 %
    alone_s = steps * step_s * factor
    text = (f"{K} workers do {steps} iterations each under SSP with s = {s}. An iteration takes {step_s:g} s; one "
            f"worker needs {factor} times as long for each of its own. Messages take no time. After how many seconds "
            "is the last worker done?")
    wrong = ((steps * step_s, "as if slack hid the slow worker"),
             (alone_s - s * (factor - 1) * step_s, "the slack taken off the end"))
    return Question("11.5", seed, text, alone_s, "s", wrong)


def _mean_round(rng: random.Random, seed: int) -> Question:
    """Mean time of a synchronous round whose workers are slow now and then."""
    K, percent, factor = rng.choice((40, 60, 80, 120)), rng.choice((1, 2)), rng.choice((2, 3, 5))
    p = percent / 100
    text = (f"{K} workers train in synchronous rounds. A step takes 1 s; each worker is slow in {percent} % of its "
            f"steps, independently, and then takes {factor} s. Messages take no time. How many seconds does a round "
            "take on the average?")
    wrong = ((1 + p * (factor - 1), "the mean step of one worker"),
             (float(factor), "every round a slow one"))
    return Question("11.4", seed, text, 1 + (factor - 1) * (1 - (1 - p)**K), "s", wrong)


def _amdahl_limit(rng: random.Random, seed: int) -> Question:
    """The limit of the speedup, from two times that keep to Amdahl's law."""
    K, one_ms = rng.choice((4, 5, 8, 10)), 100 * rng.choice((4, 6, 8, 12, 20))
    percent = rng.choice((4, 5, 8, 10, 16, 20))
    f = percent / 100
    many_ms = one_ms * (f + (1 - f) / K)
    law = cost.fit_amdahl({1: one_ms, K: many_ms})
    text = (f"A step takes {one_ms} ms on one machine and {many_ms:g} ms on {K}. If Amdahl's law holds, how many times "
            "as fast as one machine can any number of machines be?")
    wrong = ((one_ms / many_ms, f"the speedup of the {K}, not the limit"),
             (1 / (1 - one_ms / (K * many_ms)), "the lost efficiency taken for the serial share"))
    return Question("11.1", seed, text, law.limit, "times", wrong)


def _lookup_bytes(rng: random.Random, seed: int) -> Question:
    """Bytes of a step of an embedding table on servers: a pull and a push of the distinct rows, with their keys."""
    bags, per_bag, dim = 64 * rng.choice((4, 8, 16)), rng.choice((5, 10, 20)), rng.choice((8, 16, 32))
    lookups = bags * per_bag
    distinct = lookups * rng.choice((20, 30, 40)) // 100
    text = (f"A batch has {bags} bags of {per_bag} ids each, of which {distinct} are distinct in all. The table lies "
            f"on servers: rows of {dim} float32 numbers, keys of 8 bytes. How many bytes of keys and values does a "
            "step move, a pull and a push together, if no row travels twice in one direction?")
    row = 8 + 4 * dim
    wrong = ((2 * lookups * row, "a row for each look-up"), (distinct * row, "the pull without the push"))
    return Question("11.6", seed, text, 2 * distinct * row, "B", wrong)


def _rows_under_bsp(rng: random.Random, seed: int) -> Question:
    """MB of rows to the workers in an exact step: a cache saves nothing, equal ids travel once."""
    K, dim, thousand = rng.choice((4, 8, 16)), rng.choice((64, 128)), rng.choice((50, 80, 100))
    distinct, cached = 1000 * rng.choice((8, 10, 16)), 1000 * rng.choice((2, 3, 4))
    text = (f"{K} workers train under exact BSP. In a step each makes {thousand},000 look-ups, which name {distinct:,} "
            f"different rows of {dim} float32 numbers; equal ids travel once. {cached:,} of these rows lie in the "
            "worker's cache, and in every step somebody pushes to each of them. How many MB of rows travel to the "
            "workers in a step, from servers of their own?")
    row_mb = 4 * dim / 1e6
    wrong = ((K * (distinct - cached) * row_mb, "cached rows counted as hits, though every copy is old"),
             (K * thousand * 1000 * row_mb, "a row for every look-up"))
    return Question("11.7", seed, text, K * distinct * row_mb, "MB", wrong)


_MAKERS = {"11.9": _dense_ratio, "11.0": _ring_time, "11.3": _modulo_movement, "11.2": _request_bytes,
           "11.5": _persistent_straggler, "11.4": _mean_round, "11.1": _amdahl_limit, "11.6": _lookup_bytes,
           "11.7": _rows_under_bsp}
