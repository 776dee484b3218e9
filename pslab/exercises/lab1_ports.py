"""1.1: bytes through the busiest port of a dense step, one direction, of four architectures; and the ratio as time.

    K workers, P float32 numbers                    busiest port, per direction (bytes)
        ring                                        4P · 2(K−1)/K
        one server                                  4P · K
        S servers on machines of their own          4P · max(K/S, 1)            ← a worker's own port is the floor
        S servers beside workers, s = min(S, K)     4P · (K + s − 2)/s          what stays on a machine is not sent

Overlap of push and pull changes seconds, never bytes: one server over ring, as time, K²/(K−1) without overlap and
K²/(2(K−1)) with all of it.
"""

from __future__ import annotations

import math

import numpy as np

from pslab.comm import SimWorld
from pslab.grade import Case, Criterion, Exercise, Misconception, Verdict, contracts

FORBIDDEN = ("pslab.ps", "pslab.cost", "pslab.collectives")      # each has the formulas, or would count the bytes
NAMES = ("ring", "one server", "servers", "beside")
RTOL = 1e-9


def busiest_link(K: int, S: int, P: int, overlap: float) -> dict[str, int]:
    """The reference; P is divisible by K, S and min(S, K)."""
    s = min(S, K)
    return {"ring": 4 * P * 2 * (K - 1) // K, "one server": 4 * P * K, "servers": max(4 * P * K // S, 4 * P),
            "beside": 4 * P * (K + s - 2) // s}


def times_slower(K: int, overlap: float) -> float:
    """The reference: seconds of a step with one server over seconds of the ring's."""
    return (2 - overlap) * K / (2 * (K - 1) / K)


# ---- runs that are counted ------------------------------------------------------------------------------------------


def a_step(comm, K: int, owners: list[int], P: int):
    """A dense step: all K workers pull every owner's part, then push as much; what stays on a machine is not sent."""
    part, owns, works_here = np.zeros(P // len(owners), np.float32), comm.rank in owners, comm.rank < K
    workers = [rank for rank in range(K) if owns and rank != comm.rank]
    servers = [owner for owner in owners if works_here and owner != comm.rank]
    for senders, receivers in ((servers, workers), (workers, servers)):          # pull, then push
        works = [comm.isend(part, rank) for rank in receivers]
        for rank in senders:
            comm.recv(rank)
        for work in works:
            work.wait()


def ring_step(comm, P: int):
    """Reduce-scatter and all-gather around the ring, with equal chunks."""
    K, chunk = comm.world_size, np.zeros(P // comm.world_size, np.float32)
    for _ in range(2 * (K - 1)):
        work = comm.isend(chunk, (comm.rank + 1) % K)
        comm.recv((comm.rank - 1) % K)
        work.wait()


def counted(K: int, S: int, P: int) -> tuple[dict[str, int], object]:
    """(bytes through the busiest port of four runs, the run with S servers of their own)"""
    def busiest(run):
        return max(max(run.ledger.port(rank)) for rank in range(run.ledger.world_size))

    runs = {"ring": SimWorld(K).run(ring_step, P)}
    for name, ranks, owners in (("one server", K + 1, [K]), ("servers", K + S, list(range(K, K + S))),
                                ("beside", K, list(range(min(S, K))))):
        runs[name] = SimWorld(ranks).run(a_step, K, owners, P)
    return {name: busiest(run) for name, run in runs.items()}, runs["servers"]


# ---- what is believed -----------------------------------------------------------------------------------------------


def _slip(**changes):
    """The reference with some figures changed: each change is a function of (K, S, P, overlap)."""
    def believed(K, S, P, overlap):
        return {**busiest_link(K, S, P, overlap), **{name.replace("_", " "): rule(K, S, P, overlap)
                                                     for name, rule in changes.items()}}
    return believed


def _scaled(factor):
    def believed(K, S, P, overlap):
        return {name: factor(value, overlap) for name, value in busiest_link(K, S, P, overlap).items()}
    return believed


BELIEFS = {
    "1/numbers-for-bytes": _scaled(lambda value, overlap: value // 4),
    "1/both-directions": _scaled(lambda value, overlap: 2 * value),
    "1/overlap-saves-bytes": _scaled(lambda value, overlap: int(value * (1 - overlap / 2))),
    "1/total-for-busiest": lambda K, S, P, overlap: {
        "ring": 8 * P * (K - 1), "one server": 8 * P * K, "servers": 8 * P * K, "beside": 8 * P * (K - 1)},
    "1/both-at-the-server": _slip(one_server=lambda K, S, P, o: 8 * P * K,
                                  servers=lambda K, S, P, o: 2 * max(4 * P * K // S, 4 * P)),
    "1/servers-always-help": _slip(servers=lambda K, S, P, o: 4 * P * K // S),
    "1/ring-is-flat": _slip(ring=lambda K, S, P, o: 8 * P),
    "1/half-a-ring": _slip(ring=lambda K, S, P, o: 4 * P * (K - 1) // K),
    "1/workers-floor-forgotten": _slip(one_server=lambda K, S, P, o: 4 * P, servers=lambda K, S, P, o: 4 * P),
    "1/home-is-sent": _slip(beside=lambda K, S, P, o: max(4 * P * K // S, 4 * P)),
    "1/own-part-only": _slip(beside=lambda K, S, P, o: 4 * P * (K - 1) // min(S, K)),
}
RATIO_BELIEFS = {
    "1/ratio-of-bytes": lambda K, overlap: K * K / (2 * (K - 1)),
    "1/ratio-without-overlap": lambda K, overlap: K * K / (K - 1),
    "1/overlap-hides-all": lambda K, overlap: (1 - overlap) * K * K / (K - 1),
    "1/k-times": lambda K, overlap: float(K),
    "1/upside-down": lambda K, overlap: 1 / times_slower(K, overlap),
}


def questions(rng, count: int) -> list[tuple[int, int, int, float]]:
    """(K, S, P, overlap) with S from 1 to beyond K, P a multiple of all that divides it."""
    asked = []
    for place in range(count):
        K = int(rng.integers(2, 33))
        S = int(rng.integers(K + 1, 3 * K + 1)) if place % 3 == 0 else int(rng.integers(1, K + 1))
        P = math.lcm(K, S, min(S, K)) * int(rng.integers(1, 1_000))
        asked.append((K, S, P, float(rng.choice([0.25, 0.5, 0.75, 1.0]))))
    return asked


PRINTED = [(8, 1, 50_000_000, 0.0), (8, 4, 50_000_000, 0.5), (8, 8, 50_000_000, 1.0), (8, 16, 50_000_000, 0.5),
           (2, 1, 1_000, 0.0)]


def links(asked):
    """A judge of busiest_link on asked(case), in four figures a question."""
    def judge(answers, case: Case) -> Verdict:
        shown = [(question, answers.call("busiest_link", *question)) for question in asked(case)]
        for question, seen in shown:
            wrong = _malformed(seen)
            if wrong:
                return Verdict(False, "{'ring': bytes, 'one server': bytes, 'servers': bytes, 'beside': bytes}, whole "
                               "numbers", wrong, _where(question), "all/bad-value")
        for question, seen in shown:
            right = busiest_link(*question)
            for name in NAMES:
                if seen[name] != right[name]:
                    return Verdict(False, f"{name}: {right[name]:,} bytes", f"{name}: {seen[name]:,} bytes",
                                   _where(question), _explained(shown, name))
        return Verdict(True, f"{len(shown)} settings", "all four figures right", _where(shown[-1][0]))
    return judge


def _malformed(seen) -> str | None:
    if not isinstance(seen, dict) or set(seen) != set(NAMES):
        return repr(seen)[:90]
    odd = [name for name in NAMES if isinstance(seen[name], bool) or not isinstance(seen[name], (int, np.integer))]
    return f"{odd[0]}: {seen[odd[0]]!r}" if odd else None


def _explained(shown, name: str) -> str:
    """The belief that gives all figures, else the one that gives all of `name`."""
    for names in (NAMES, (name,)):
        for misconception, believed in BELIEFS.items():
            if all(believed(*question)[n] == seen[n] for question, seen in shown for n in names):
                return misconception
    return "1/ports-miscounted"


def _where(question) -> str:
    K, S, P, overlap = question
    return f"K={K}, S={S}, P={P:,}, overlap={overlap:g}"


def in_runs(answers, case: Case) -> Verdict:
    """Small settings, against bytes that were counted in runs."""
    shown = None
    for question in [(3, 2, 12, 0.5), (4, 1, 24, 0.0), (4, 4, 24, 1.0), (3, 6, 30, 0.5)]:
        right, run = counted(*question[:3])
        seen = answers.call("busiest_link", *question)
        if _malformed(seen):
            return Verdict(False, "four whole numbers", _malformed(seen), _where(question), "all/bad-value")
        for name in NAMES:
            if seen[name] != right[name]:
                why = _explained([(question, seen)], name)
                return Verdict(False, f"{name}: {right[name]:,} bytes counted", f"{name}: {seen[name]:,}",
                               _where(question), why, run)
        shown = shown or Verdict(True, seen="counted: " + ", ".join(f"{name} {right[name]}" for name in NAMES) +
                                 " bytes", where=_where(question), run=run)
    return shown


def _ratios(rng, count):
    return [(int(K), overlap) for K in rng.integers(2, 200, count) for overlap in (0.0, 1.0, round(float(rng.uniform(
        0.1, 0.9)), 3))]


def elsewhere(answers, case: Case) -> Verdict:
    verdict = links(lambda case: questions(case.rng, 12))(answers, case)
    return verdict if not verdict.passed else _slower(lambda case: _ratios(case.rng, 4))(answers, case)


def _slower(asked):
    return contracts.formula("times_slower", asked, times_slower, otherwise="1/ratio-miscounted",
                             explains=RATIO_BELIEFS, rtol=RTOL)


PORTS = Exercise(
    id="1.1", lab="1", title="The busiest link", names=("busiest_link", "times_slower"),
    signature="def busiest_link(K: int, S: int, P: int, overlap: float) -> dict[str, int]; "
              "def times_slower(K: int, overlap: float) -> float",
    points=10, minutes=10, difficulty=1, core=True, prerequisites=("0A",), chapter_number="11.1.1",
    forbidden=FORBIDDEN,
    goal="A dense step of K workers and P float32 numbers. busiest_link: the bytes through the busiest port in its "
         "busier direction, for 'ring' (an all-reduce), 'one server', 'servers' (S of them on machines of their own) "
         "and 'beside' (servers on the machines of the first min(S, K) workers). P is divisible by whatever it is "
         "shared by. overlap is the share of the push that runs beside the next pull. times_slower: seconds of a step "
         "with one server over seconds of the ring's, on ports that carry both directions at once; bytes alone count.",
    example=f"busiest_link(4, 2, 100, 0.5) -> {busiest_link(4, 2, 100, 0.5)}; times_slower(8, 1.0) -> "
            f"{times_slower(8, 1.0):.3f}",
    hints=(
        "Draw one port at a time and write down what goes in. Which ports are there besides the servers'? Does it "
        "change the bytes when two messages travel at the same time?",
        "Ring: 2(K-1) messages of P/K numbers. A server's port: K parts of P/S numbers; a worker's port: S parts of "
        "P/S. The busiest is the larger of the two, whatever S is.",
        "Beside: a machine that has a server takes in what it pulls from the other servers, P - P/s, and what the "
        "other workers push to its own, (K-1)P/s. Time: the server's step takes (2 - overlap) times its bytes per "
        "direction, the ring's one time its own.",
    ),
    misconceptions=(
        Misconception("1/numbers-for-bytes", "You counted numbers; each of the P float32 numbers has 4 bytes."),
        Misconception("1/both-directions", "You added up both directions of the port; asked is the busier one, since "
                      "both can be carried at the same time."),
        Misconception("1/overlap-saves-bytes", "Overlap lets bytes travel at the same time; it changes seconds, and no "
                      "byte is saved."),
        Misconception("1/total-for-busiest", "This is the total over all links; a step does not wait for the total, it "
                      "waits for the busiest port, and the total stays the same however many servers share it."),
        Misconception("1/both-at-the-server", "You counted the server's port in both directions and the ring's in one; "
                      "then the ratio is a ratio of two different things."),
        Misconception("1/servers-always-help", "With more servers than workers you let the busiest port become lighter "
                      "still; each worker takes all P numbers through its own port, and that is the floor."),
        Misconception("1/ring-is-flat", "2P is what a port of the ring comes near to with many workers; with K of them "
                      "it is 2(K-1)/K times P."),
        Misconception("1/half-a-ring", "You counted the reduce-scatter alone; the sums have to travel on to everybody "
                      "once more."),
        Misconception("1/workers-floor-forgotten", "You looked at a worker's port only; the port of a server takes in "
                      "what all K workers send to it."),
        Misconception("1/home-is-sent", "A server beside a worker need not send that worker's part anywhere; what "
                      "stays on a machine crosses no port."),
        Misconception("1/own-part-only", "You counted what comes to the server of a machine and forgot the worker on "
                      "it, which pulls from the other servers through the same port."),
        Misconception("1/ports-miscounted", "These are not the bytes of the busiest port; take the smallest case, K = "
                      "2 "
                      "with one server, and draw every message."),
        Misconception("1/ratio-of-bytes", "That is the ratio of bytes per direction; as time it holds only where push "
                      "and pull overlap entirely."),
        Misconception("1/ratio-without-overlap", "That is the ratio when push and pull never overlap; with overlap the "
                      "server's step is shorter, down to half."),
        Misconception("1/overlap-hides-all", "You let full overlap take no time at all; push and pull then take the "
                      "time of one of them."),
        Misconception("1/k-times", "The server's port carries K times P, the ring's does not carry P but 2(K-1)/K "
                      "times P."),
        Misconception("1/upside-down", "This is the ring's time over the server's; asked is the server's over the "
                      "ring's."),
        Misconception("1/ratio-miscounted", "This is not the ratio of the two times; write both down for K = 2 without "
                      "overlap: 2 times 2P over P."),
    ),
    criteria=(
        Criterion("printed settings", links(lambda case: PRINTED), 2),
        Criterion("settings drawn", links(lambda case: questions(case.rng, 12)), 2),
        Criterion("counted in runs", in_runs, 2),
        Criterion("how many times slower", _slower(lambda case: [(8, 0.0), (8, 1.0), (2, 0.0), *_ratios(case.rng, 2)]),
                  2),
        Criterion("other settings", elsewhere, 2, hidden=True),
    ),
)
