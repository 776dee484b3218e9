"""One server under letters that arrive in any order, late or twice: every pull still sees the rounds before its clock.

What a worker promises, and nothing more: it calls clock() when all its pushes are acknowledged, goes on when every
worker has called it too (another server may have told it: this one may hear of a clock long after), lets no clock
letter overtake its pulls, and says goodbye when all is answered. The rest is as the seed has it.
"""

import random

import numpy as np
import pytest

from pslab.comm import Mail
from pslab.ps import SGD, Integers, KVServer, TableConfig

TABLE = TableConfig("t", 1, 6, rule=SGD(1.0), init=Integers(-9, 10, seed=6))
ASKED = np.array([5, 0, 5, 3])
ROUNDS = 4


def gradient(worker, clock, part):
    """Keys with duplicates now and then, and whole numbers that name worker, round and part."""
    keys = np.random.default_rng([worker, clock, part]).integers(0, 6, 3)
    return keys, np.array([[1.0 + 10 * worker + 100 * clock + 1000 * part]] * 3, np.float32)


class Player:
    """One worker: `to_come` are letters written and still on their way."""

    def __init__(self, rank):
        self.rank, self.rounds = rank, ROUNDS - rank % 2             # some leave earlier than others
        self.clock = self.pushes = self.pulls = self.unanswered = 0
        self.to_come, self.delivered, self.gone = [], [], False

    def write_round(self):
        for part in range(2):
            self.pushes += 1
            meta = {"t": 0, "q": self.pushes, "n": 0, "c": self.clock}
            self.to_come.append(Mail(self.rank, "push", meta, list(gradient(self.rank, self.clock, part))))
        for tensors, where in (([], {"r": [0, 6]}), ([ASKED], {})):
            self.pulls += 1
            self.unanswered += 1
            meta = {"t": 0, "q": self.pulls, "c": self.clock, **where}
            self.to_come.append(Mail(self.rank, "pull", meta, tensors))

    def end_round(self):
        self.clock += 1
        self.to_come.append(Mail(self.rank, "clock", {"c": self.clock}))

    def leave(self):
        self.gone, self.delivered = True, []
        self.to_come = [Mail(self.rank, "bye")]

    def moves(self, slowest):
        """What this worker might do next, given the smallest clock in truth."""
        kinds = {mail.kind for mail in self.to_come}
        written = self.pushes == 2 * (self.clock + 1)
        if not self.gone and not written and slowest >= self.clock:
            yield self.write_round
        if not self.gone and written and "push" not in kinds:
            if self.clock < self.rounds:
                yield self.end_round
            elif not self.unanswered:
                yield self.leave
        for place, mail in enumerate(self.to_come):
            if mail.kind != "clock" or "pull" not in {earlier.kind for earlier in self.to_come[:place]}:
                yield mail


def play(seed, num_workers):
    """Give all letters to a server, in an order of this seed; the server, and every pull's rows by (worker, number)."""
    chance, server, seen = random.Random(seed), KVServer([TABLE], 0, 1, range(num_workers)), {}
    players = [Player(rank) for rank in range(num_workers)]
    while not server.done:
        slowest = min([player.clock for player in players if not player.gone], default=ROUNDS)
        moves = [(player, move) for player in players for move in player.moves(slowest)]
        again = [(player, mail) for player in players for mail in player.delivered]
        player, move = chance.choice(again if again and chance.random() < 0.1 else moves)
        if not isinstance(move, Mail):
            move()
            continue
        if any(letter is move for letter in player.to_come):
            player.to_come = [letter for letter in player.to_come if letter is not move]
            player.delivered += [move] if move.kind == "push" else []
        letter = Mail(move.src, move.kind, dict(move.meta), [tensor.copy() for tensor in move.tensors])
        for dst, answer in server.handle(letter, 0.0):
            assert answer.kind in ("ack", "rows", "min", "bye"), answer.meta
            if answer.kind == "rows":
                assert (dst, answer.meta["q"]) not in seen
                seen[dst, answer.meta["q"]] = np.array(answer.tensors[0])
                players[dst].unanswered -= 1
    return server, seen


def truth(num_workers):
    """The table before each round, by one loop over everything."""
    rows = [TABLE.initial_rows()]
    for clock in range(ROUNDS + 1):
        after = rows[-1].copy()
        for worker in range(num_workers):
            for part in range(2 if clock <= ROUNDS - worker % 2 else 0):
                keys, vals = gradient(worker, clock, part)
                np.subtract.at(after, keys, vals)
        rows.append(after)
    return rows


@pytest.mark.parametrize("num_workers", [1, 2, 3, 4])
def test_every_order_gives_the_same_answers(num_workers):
    rows, repeats = truth(num_workers), 0
    for seed in range(60):
        server, seen = play(seed, num_workers)
        assert np.array_equal(server.rows("t"), rows[-1]), f"seed {seed}"
        rounds = [(worker, clock) for worker in range(num_workers) for clock in range(ROUNDS + 1 - worker % 2)]
        assert len(seen) == 2 * len(rounds), f"seed {seed}"
        for worker, clock in rounds:
            assert np.array_equal(seen[worker, 2 * clock + 1], rows[clock]), f"seed {seed}, {worker} at {clock}"
            assert np.array_equal(seen[worker, 2 * clock + 2], rows[clock][ASKED]), f"seed {seed}, {worker} at {clock}"
        counts = server.stats()["tables"]["t"]
        assert (counts["pushes"], counts["steps"]) == (2 * len(rounds), ROUNDS + 1), f"seed {seed}"
        repeats += server.stats()["repeats"]
    assert repeats > 40                                              # the faults were there
