"""2.5: what arrives at a server from workers that send again: streams of letters, and what slips make of them.

    a push is known by (sender, incarnation, number)

    sender 1   number 0   1   1   3   2   0        a copy of 1, and 3 overtakes 2, and a late copy of 0
    sender 2          0   0   1                    the same numbers, other pushes
    sender 1'         0   1   2                    started again: numbers from 0, incarnation 1

A sender never has more than `window` numbers without an acknowledgement, so number n comes only after all up to
n − window were recorded.
"""

from __future__ import annotations

import random
from collections.abc import Iterable

import numpy as np

Letter = tuple[int, int, int, int, int]              # sender, incarnation, number, key, value


def stream(rng, pushes: dict[tuple[int, int], int], window: int, size: int = 5, drop: float = 0.2, twice: float = 0.3,
           swap: bool = True) -> list[Letter]:
    """Letters in the order of arrival. pushes: {(sender, incarnation): how many}; incarnations of a sender in turn.

    Everything that was pushed arrives, some of it again and late; old lives' copies come after the new life began.
    """
    draw = random.Random(int(rng.integers(2**62)))       # NumPy's generators are slow for one number at a time
    lives = {sender: sorted(life for s, life in pushes if s == sender) for sender, _ in pushes}
    alive = {sender: [order[0], 0, set()] for sender, order in lives.items()}        # life, next number, unacknowledged
    values = {(sender, life, number): (draw.randrange(size), draw.randrange(1, 100))
              for (sender, life), count in pushes.items() for number in range(count)}
    flying, arrived = [], []
    while alive or flying:
        if alive and (not flying or (len(flying) < 3 * window and draw.random() < 0.5)):
            sender = draw.choice(sorted(alive))
            life, number, open_ = alive[sender]
            if number < pushes[sender, life] and (not open_ or number < min(open_) + window):
                open_.add(number)
                flying.append((sender, life, number))
                alive[sender][1] += 1
            elif open_:
                flying.append((sender, life, draw.choice(sorted(open_))))
            else:
                order = lives[sender]
                at = order.index(life) + 1
                if at < len(order):
                    alive[sender] = [order[at], 0, set()]
                else:
                    del alive[sender]
            continue
        who = flying.pop(draw.randrange(len(flying)) if swap else 0)
        if draw.random() < drop:
            continue
        arrived.append((*who, *values[who]))
        if draw.random() < twice:
            flying.append(who)                                        # a copy of it, later
        sender, life, number = who
        if alive.get(sender, [None])[0] == life and draw.random() > drop:
            alive[sender][2].discard(number)                          # the acknowledgement arrived
    return arrived


def rows_after(letters: Iterable[Letter], size: int, slip: str = "") -> np.ndarray:
    """(size,): the rows when each push counts once; or what a slip makes of them."""
    rows, seen, highest, life_of = np.zeros(size), set(), {}, {}
    for sender, life, number, key, value in letters:
        who = {"2/number-alone": number, "2/incarnation-ignored": (sender, number),
               "2/sender-ignored": (life, number)}.get(slip, (sender, life, number))
        if slip == "2/new-life-forgets-all" and life > life_of.get(sender, life):
            seen.clear()
        if slip == "2/any-other-life-is-new" and life != life_of.get(sender, life):
            seen = {known for known in seen if known[0] != sender}
        if slip == "2/old-life-counts-again" and life < life_of.get(sender, life):
            seen.discard(who)
        life_of[sender] = life if slip == "2/any-other-life-is-new" else max(life, life_of.get(sender, life))
        if slip == "2/highest-number-only":
            if number <= highest.get((sender, life), -1):
                continue
            highest[sender, life] = number
        elif who in seen and slip != "2/applied-twice":
            continue
        seen.add(who)
        rows[key] += value
    return rows


SLIPS = ("2/applied-twice", "2/sender-ignored", "2/number-alone", "2/incarnation-ignored", "2/highest-number-only",
         "2/new-life-forgets-all", "2/any-other-life-is-new", "2/old-life-counts-again")
