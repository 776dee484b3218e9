"""0A.0: first contact, checked and not graded: one program on many ranks, a message there and back, a deadlock.

    role        the same function, another answer on each rank              no messages at all
    ping_pong   rank 0 ── x ──> rank 1 ── x + 1 ──> rank 0
    jam         no rank can ever go on, on purpose
    circle      which ranks of a given report wait for each other; the others only wait behind them
"""

from __future__ import annotations

import torch

from pslab.comm import Deadlock, SimWorld
from pslab.grade import Criterion, Exercise, Misconception, Stalled, Verdict, contracts

from .lab0_common import LINK, reading, told


def roles(K: int) -> list[str]:
    """What role() returns on each of K ranks. The reference."""
    return ["first", *["between"] * (K - 2), "last"]


def four(comm) -> None:
    """The program whose report the notebook shows: 0 and 1 wait for each other, 2 and 3 behind them."""
    if comm.rank == 0:
        comm.recv(1)
        comm.send(torch.ones(1), 1)
    if comm.rank == 1:
        comm.recv(0)
        comm.send(torch.ones(1), 0)
        comm.send(torch.ones(1), 2)
    if comm.rank == 2:
        comm.recv(1)
        comm.send(torch.ones(1), 3)
    if comm.rank == 3:
        comm.recv(2)


def waiting() -> dict[int, int]:
    """{rank: the rank it waits for} of `four`, from a run of it."""
    try:
        SimWorld(4, trace=False).run(four)
    except Deadlock as stuck:
        return {wait.rank: wait.peer for wait in stuck.waits}
    raise AssertionError("the program of 0A.0 does not get stuck")


def circle_of(waits: dict[int, int]) -> list[int]:
    """The ranks from which a walk from rank to the rank it waits for comes back to where it began."""
    found = []
    for rank in waits:
        at = waits[rank]
        for _ in waits:
            if at == rank:
                found.append(rank)
                break
            at = waits.get(at)
    return sorted(found)


# ---- judging --------------------------------------------------------------------------------------------------------


def _role_trials(case):
    for K in (2, 3, 5):
        yield contracts.Trial([()] * K, roles(K), label=f"K={K}")


def _ping_trials(case):
    for P in (3, 1):
        x = torch.arange(P) * 2.0 + float(case.rng.integers(1, 9))
        yield contracts.Trial([(x,), (None,)], [x + 1, x], P, label=f"x = {x.tolist()}", kwargs={"link": LINK})


def _one_role(word):
    return lambda trial: [word] * trial.K


ROLE = contracts.Job("role", _role_trials, result="word")
PING = contracts.Job("ping_pong", _ping_trials, result="numbers")

_ROLES = contracts.values(ROLE, otherwise="0/rank-unread", explains={
    "0/one-role-for-all": _one_role("first"), "0/ranks-count-from-one": lambda t: ["between"] * (t.K - 1) + ["last"],
    "0/last-is-fixed": lambda t: ["first", "last", *["between"] * (t.K - 2)]})

_PINGS = contracts.values(PING, otherwise="0/ping-without-pong", inputs_unchanged="0/input-changed", explains={
    "0/pong-not-received": lambda t: [t.per_rank[0][0], t.per_rank[0][0]],
    "0/returned-what-was-sent": lambda t: [t.per_rank[0][0], t.per_rank[0][0] + 1]})

_PONGS = contracts.traffic(PING, link=lambda t, src, dst: contracts.exactly(4 * t.P), more="0/ping-without-pong",
                           less="0/ranks-share-nothing")


def jammed(answers, case) -> Verdict:
    """Passes when no rank can go on: with two ranks and with three."""
    expected = "no rank can go on"
    for K in (2, 3):
        x = torch.arange(4.0) + K
        where = f"K={K}"
        try:
            run = answers.run("jam", K, x, timeout_s=2.0)
        except Stalled as failed:
            if "tensors that nobody received" in failed.seen:
                return Verdict(False, expected, failed.seen, where, "0/sent-and-never-received", failed.run)
            if "has ended" in failed.seen or _rows(failed.seen) < K:
                return Verdict(False, expected, failed.seen, where, "0/not-everybody-waits", failed.run)
            continue
        return Verdict(False, expected, "every rank came to its end", where, "0/no-deadlock", run)
    return Verdict(True, expected, "all ranks wait, two as well as three")


def _rows(table: str) -> int:
    return sum(line[:1].isdigit() for line in table.splitlines())


def circled(answers, case) -> Verdict:
    said, waits = answers.call("circle"), waiting()
    right = circle_of(waits)
    if not isinstance(said, (list, tuple)) or not all(type(rank) is int for rank in said):
        return Verdict(False, "a list of ranks", f"{said!r}"[:90], "", "all/bad-value")
    if sorted(said) == right:
        return Verdict(True, seen=f"ranks {', '.join(map(str, right))} wait for each other; the others come free with "
                                  "them")
    why = "0/everyone-who-waits" if sorted(said) == sorted(waits) else "0/follow-the-waiting"
    return Verdict(False, "the ranks that wait for each other", f"{sorted(said)}", "the report above", why)


FIRST = Exercise(
    id="0A.0", lab="0A", title="First contact", names=("role", "ping_pong", "jam", "circle"),
    signature="def role(comm) -> str\ndef ping_pong(comm, x) -> tensor\ndef jam(comm, x)\ndef circle() -> list[int]",
    points=0, minutes=15, difficulty=1, core=True, prerequisites=(),
    goal="One function that runs on every rank and does something else on each; a message there and back; a deadlock "
         "that you make yourself, and one whose report you read.",
    example='three ranks: role(comm) -> "first" on rank 0, "between" on rank 1, "last" on rank 2',
    hints=(
        "All ranks run the same function. What differs is comm.rank: `if comm.rank == 0:` is a program for one of "
        "them. How many there are is comm.world_size.",
        "ping_pong: on rank 0 a send and then a recv, on rank 1 a recv and then a send. jam: what if both begin with "
        "the same one of the two, and where do they then stand?",
        "circle: start at any row of the report and go to the rank that it waits for, from there to the one that that "
        "one waits for, and so on. The ranks that you come to again and again are the circle.",
    ),
    misconceptions=(
        Misconception("0/one-role-for-all", "Every rank gave the same word; they all run one function, and comm.rank "
                      "is how a rank knows which of them it is."),
        Misconception("0/ranks-count-from-one", "No rank was the first; ranks count from 0, like everything in "
                      "Python."),
        Misconception("0/last-is-fixed", "The last rank is not always the same number; how many ranks there are is "
                      "known only when the program runs, as comm.world_size."),
        Misconception("0/rank-unread", "Rank 0 is the first, rank K-1 the last, and all others are between; the word "
                      "has to follow from comm.rank and comm.world_size."),
        Misconception("0/pong-not-received", "Rank 0 came back with its own x; the tensor that rank 1 sends back is "
                      "what its recv returns."),
        Misconception("0/returned-what-was-sent", "A rank returned what it sent; each of the two returns what it "
                      "received."),
        Misconception("0/ping-without-pong", "Rank 0 sends x to rank 1, rank 1 sends x + 1 back, once each; each "
                      "returns what it received."),
        Misconception("0/no-deadlock", "Every rank came to its end, so this is no deadlock; each rank has to wait for "
                      "something that can only come after it has gone on."),
        Misconception("0/not-everybody-waits", "Some rank came to its end; here every rank has to wait for another."),
        Misconception("0/everyone-who-waits", "All of them wait, but some only wait behind others; go from each rank "
                      "to the one that it waits for and see which ones you come back to."),
        Misconception("0/follow-the-waiting", "That is not the circle; the column 'waiting for' says where to go from "
                      "each row."),
        *told("0/everyone-receives-first", "0/sent-and-never-received", "0/ranks-share-nothing", "0/input-changed"),
    ),
    criteria=(
        Criterion("a role for each rank", _ROLES, 0),
        Criterion("there and back", reading(_PINGS), 0),
        Criterion("one message each way", reading(_PONGS), 0),
        Criterion("a deadlock on purpose", jammed, 0),
        Criterion("the circle in the report", circled, 0),
    ),
)
