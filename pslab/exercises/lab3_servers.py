"""3.5: how many servers are enough? From some number on the workers' own ports decide, and more servers change nothing.

    K workers pull all P numbers, compute, push P numbers back; S servers share them evenly; every port BW

        seconds = compute + 2 · max(K/S, 1) · 4P/BW            floor: compute + 2 · 4P/BW, reached at S = K

    step │ █                                                    workers of a rack that first add among themselves:
         │ █ █                                                  uplink bytes of a push  w · 4P  ->  4P  a rack
         │ █ █ █ █ ▄ ▄ ▄ ▄ ▄ ▄   ← a worker's own port
         └─────────────────────  servers
"""

from __future__ import annotations

import math

import numpy as np
import torch

from pslab.comm import Link, SimWorld
from pslab.grade import Case, Criterion, Exercise, Misconception, Verdict, contracts

from .lab3_common import FORBIDDEN

WITHIN = 1.05                        # times the floor
MARGIN = 0.001                       # no question is nearer to the limit, so that rounding decides nothing
ELEMENTS = 27_720                    # of a simulated step: 1 to 12 servers share them evenly


def step_s(K: int, P: int, bandwidth_Bps: float, compute_s: float, S: int) -> float:
    return compute_s + 2 * max(K / S, 1.0) * 4 * P / bandwidth_Bps


def how_many_servers(K: int, P: int, bandwidth_Bps: float, compute_s: float) -> int:
    """The reference."""
    floor = step_s(K, P, bandwidth_Bps, compute_s, K)
    return next(S for S in range(1, K + 1) if step_s(K, P, bandwidth_Bps, compute_s, S) <= WITHIN * floor)


def step(comm, K: int, S: int, elements: int, compute_s: float):
    """A step: ranks 0..K-1 are workers, then servers. Round t: server s and worker (s + t) mod K, nobody waits."""
    mine = [len(part) for part in np.array_split(np.empty(elements), S)]
    if comm.rank >= K:
        s = comm.rank - K
        for t in range(K):
            comm.send(np.zeros(mine[s], np.float32), (s + t) % K)
        comm.barrier()
        for t in range(K):
            comm.recv((s + t) % K)
        return
    turns = sorted(range(S), key=lambda s: (comm.rank - s) % K)
    for s in turns:
        comm.recv(K + s)
    comm.barrier()
    comm.compute(compute_s)
    for s in turns:
        comm.send(np.zeros(mine[s], np.float32), K + s)


def simulated(K: int, P: int, bandwidth_Bps: float, compute_s: float, S: int, trace: bool = False):
    """A run of one step on fewer numbers and links slower in proportion: the same seconds."""
    link = Link(latency_s=0.0, overhead_s=0.0, bandwidth_Bps=bandwidth_Bps * ELEMENTS / P)
    return SimWorld(K + S, link=link, trace=trace).run(step, K, S, ELEMENTS, compute_s)


# ---- racks ----------------------------------------------------------------------------------------------------------


def uplink_bytes(K: int, P: int, per_rack: int) -> tuple[int, int]:
    """The reference: (each worker by itself, added in the rack first), over all racks' uplinks, in one push."""
    return K * 4 * P, K // per_rack * 4 * P


def push_from_racks(comm, K: int, per_rack: int, elements: int, first_in_rack: bool):
    """K workers in racks push to the last rank, which stands in no rack; the first of a rack may add for it."""
    grad, server, rank = np.ones(elements, np.float32), K, comm.rank
    head = rank - rank % per_rack
    if rank == server:
        senders = range(0, K, per_rack) if first_in_rack else range(K)
        return float(sum(comm.recv(sender) for sender in senders).sum()) if elements else 0.0
    if first_in_rack and rank != head:
        comm.send(grad, head)
        return None
    for other in range(head + 1, head + per_rack) if first_in_rack else ():
        grad += np.asarray(comm.recv(other))
    comm.send(grad, server)
    return None


def counted_uplinks(K: int, per_rack: int, elements: int):
    """((flat bytes, aggregated bytes) that left a rack, the aggregated run)"""
    runs = [SimWorld(K + 1).run(push_from_racks, K, per_rack, elements, first) for first in (False, True)]
    return tuple(sum(run.ledger.link(rank, K) for rank in range(K)) for run in runs), runs[1]


# ---- what is believed -----------------------------------------------------------------------------------------------


def _least(seconds, limit: float, most: int = 10**6) -> int:
    """The least S with seconds(S) <= limit; `most` where there is none below it."""
    low, high = 1, most
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if seconds(middle) <= limit else (middle + 1, high)
    return low


def _belief(wire_factor=2.0, item=4.0, floor_of=None, port=True, near=WITHIN):
    """One slip in the formula: bytes there and back, bytes a number, the floor, the worker's own port, how near."""
    def believed(K, P, bandwidth_Bps, compute_s):
        wire_s = wire_factor * item * P / bandwidth_Bps

        def seconds(S):
            return compute_s + (max(K / S, 1.0) if port else K / S) * wire_s
        floor = compute_s + wire_s if floor_of is None else floor_of(compute_s, wire_s)
        return _least(seconds, near * floor)
    return believed


BELIEFS = {
    "3/one-server-a-worker": lambda K, P, bandwidth_Bps, compute_s: K,
    "3/one-server-is-enough": lambda K, P, bandwidth_Bps, compute_s: 1,
    "3/workers-port-is-free": _belief(port=False, floor_of=lambda compute_s, wire_s: compute_s),
    "3/pull-is-free": _belief(wire_factor=1.0),
    "3/numbers-for-bytes": _belief(item=1.0),
    "3/bits-and-bytes": _belief(item=32.0),
    "3/computing-forgotten": lambda K, P, bandwidth_Bps, compute_s: math.ceil(K / WITHIN),
    "3/half-as-near": _belief(near=1.1),
    "3/rounded-down": lambda K, P, bandwidth_Bps, compute_s: max(
        how_many_servers(K, P, bandwidth_Bps, compute_s) - 1, 1),
    "3/one-too-many": lambda K, P, bandwidth_Bps, compute_s: how_many_servers(K, P, bandwidth_Bps, compute_s) + 1,
}
RACK_BELIEFS = {
    "3/racks-save-nothing": lambda K, P, per_rack: (K * 4 * P, K * 4 * P),
    "3/one-rack-for-all": lambda K, P, per_rack: (per_rack * 4 * P, 4 * P),
    "3/numbers-for-bytes": lambda K, P, per_rack: (K * P, K // per_rack * P),
    "3/divided-by-racks": lambda K, P, per_rack: (K * 4 * P, per_rack * 4 * P),
    "3/one-uplink-for-all": lambda K, P, per_rack: (K * 4 * P, 4 * P),
    "3/both-ways": lambda K, P, per_rack: (K * 8 * P, K // per_rack * 8 * P),
}


def questions(rng, count: int) -> list[tuple[int, int, float, float]]:
    """(K, P, BW, compute) away from the limit, with answers from 1 to K; half of them where slips differ most."""
    asked: list[tuple[int, int, float, float]] = []
    while len(asked) < count:
        K, P = int(rng.integers(3, 65)), int(rng.choice([1e6, 25e6, 110e6, 1e9]))
        bandwidth_Bps = float(rng.choice([1.25e9, 3.125e9, 12.5e9, 50e9]))
        compute_s = round(float(rng.choice([0.5, 5, 20, 60, 150]) * rng.uniform(0.7, 1.4) * 8 * P / bandwidth_Bps), 6)
        if clear_cut(K, P, bandwidth_Bps, compute_s):
            asked.append((K, P, bandwidth_Bps, compute_s))
    return asked


def clear_cut(K, P, bandwidth_Bps, compute_s) -> bool:
    """Whether no whole S gives a step within MARGIN of the limit."""
    limit = WITHIN * step_s(K, P, bandwidth_Bps, compute_s, K)
    return all(abs(step_s(K, P, bandwidth_Bps, compute_s, S) / limit - 1) > MARGIN for S in range(1, K + 1))


EXAMPLE = (8, 25_000_000, 12.5e9, 0.25)
_PRINTED = (EXAMPLE, (32, 110_000_000, 12.5e9, 0.6), (64, 10**9, 3.125e9, 0.5), (16, 25_000_000, 3.125e9, 1.9))


def _asked(points):
    return contracts.formula("how_many_servers", lambda case: points(case.rng), how_many_servers,
                             otherwise="3/servers-miscounted", explains=BELIEFS)


def either_side(answers, case: Case) -> Verdict:
    """Runs a step with the student's number of servers, and with one less."""
    small = [q for q in questions(case.rng, 30) if q[0] <= 12 and how_many_servers(*q) > 1]
    shown = None
    for question in [EXAMPLE, *small[:2]]:
        K = question[0]
        where = f"K={K}, P={question[1]:,}, bandwidth_Bps={question[2]:g}, compute_s={question[3]:g}"
        S = answers.call("how_many_servers", *question)
        if not isinstance(S, int) or isinstance(S, bool) or S < 1:
            return Verdict(False, "a whole number of servers, 1 or more", f"{S!r}"[:90], where, "all/bad-value")
        why = next((name for name, rule in BELIEFS.items() if rule(*question) == S), "3/servers-miscounted")
        floor_s = simulated(*question, K).seconds
        run = simulated(*question, min(S, K), trace=question == EXAMPLE)
        near = f"{run.seconds / floor_s:.3f} times the floor"
        if run.seconds > WITHIN * floor_s:
            return Verdict(False, f"at most {WITHIN} times the floor", f"with {S} servers {near}", where, why, run)
        if S > 1:
            fewer = simulated(*question, min(S - 1, K)).seconds / floor_s
            if fewer <= WITHIN:
                return Verdict(False, f"with {S - 1} servers more than {WITHIN} times the floor",
                               f"{fewer:.3f} times; one server less would do", where, why, run)
            near += f", with {S - 1} {fewer:.3f} times"
        shown = shown or Verdict(True, seen=f"simulated: with {S} servers {near}", where=where, run=run)
    return shown


RACKS = ((6, 40, 3), (8, 25, 2), (5, 30, 5), (4, 33, 1), (1_024, 25_000_000, 32))


def racks(answers, case: Case, asked=RACKS) -> Verdict:
    """uplink_bytes against bytes that were counted, for small tensors, and against the formula for large ones."""
    shown = None
    for K, P, per_rack in asked:
        where = f"K={K}, P={P:,}, per_rack={per_rack}"
        run, right = None, uplink_bytes(K, P, per_rack)
        if K <= 8:
            right, run = counted_uplinks(K, per_rack, P)
        seen = _two_numbers(answers.call("uplink_bytes", K, P, per_rack))
        if isinstance(seen, str):
            return Verdict(False, "(bytes, bytes)", seen, where, "all/bad-value")
        if seen != right:
            why = next((name for name, rule in RACK_BELIEFS.items() if rule(K, P, per_rack) == seen != right),
                       "3/racks-miscounted")
            return Verdict(False, f"{right[0]:,} and {right[1]:,} bytes", f"{seen[0]:,} and {seen[1]:,}", where, why,
                           run)
        shown = shown or Verdict(True, seen=f"counted: {right[0]:,} bytes, and {right[1]:,} added in the rack first",
                                 where=where)
    return shown


def _two_numbers(value) -> tuple | str:
    """(a, b) of a tuple, a list, an array or a tensor; a text that shows what it is where it is no two numbers."""
    plain = value.tolist() if isinstance(value, (np.ndarray, torch.Tensor)) else value
    good = isinstance(plain, (list, tuple)) and len(plain) == 2 and all(
        isinstance(part, (int, float, np.number)) and not isinstance(part, bool) for part in plain)
    return tuple(plain) if good else repr(value)[:90]


def elsewhere(answers, case: Case) -> Verdict:
    verdict = _asked(lambda rng: questions(rng, 40))(answers, case)
    drawn = [(int(n) * int(w), int(P), int(w)) for n, w, P in case.rng.integers(2, (40, 12, 10**8), (6, 3))]
    return verdict if not verdict.passed else racks(answers, case, (*drawn, *RACKS))


SERVERS = Exercise(
    id="3.5", lab="3", title="How many servers", names=("how_many_servers", "uplink_bytes"),
    signature="def how_many_servers(K: int, P: int, bandwidth_Bps: float, compute_s: float) -> int; "
              "def uplink_bytes(K: int, P: int, per_rack: int) -> tuple[int, int]",
    points=10, minutes=10, difficulty=2, core=True, prerequisites=("2",), chapter_number="11.3.5",
    forbidden=FORBIDDEN,
    goal="K workers pull P float32 numbers, compute for compute_s seconds, then push P numbers; S servers on machines "
         "of their own share them evenly; every port carries bandwidth_Bps bytes a second each way, and messages cost "
         "nothing else. Return the least S whose step takes at most 1.05 times the floor, the step with as many "
         "servers as one likes. uplink_bytes: bytes that leave all racks in one push, (each worker by itself, added "
         "within each rack first), for servers outside of the racks; per_rack divides K.",
    example=f"how_many_servers{EXAMPLE} -> {how_many_servers(*EXAMPLE)}; uplink_bytes(8, 25, 2) -> (800, 400)",
    hints=(
        "How many bytes cross the port of one worker in a pull, and how many the port of one server? The busier one "
        "says how long the pull takes. From which S on is it the worker's?",
        "Step: compute_s + 2·max(K/S, 1)·4P/bandwidth_Bps, for the pull and the push. Floor: the same with K/S <= 1. "
        "Try S = 1, 2, 3, ... until the step is within 5 %; S = K always is.",
        "Racks: without adding, each of the K workers sends 4P bytes out of its rack. With adding one tensor leaves "
        "each rack, and there are K / per_rack racks.",
    ),
    misconceptions=(
        Misconception("3/one-server-a-worker", "You take as many servers as workers, always; that reaches the floor, "
                      "and where computing takes long, far fewer come within 5 % of it."),
        Misconception("3/one-server-is-enough", "One server has K times the bytes of a worker on its port; only where "
                      "computing takes very long does that not show."),
        Misconception("3/workers-port-is-free", "You let the wire go to nothing with more servers; each worker takes "
                      "all P numbers through its own port, and that is the floor, whatever S is."),
        Misconception("3/pull-is-free", "You counted one direction; P numbers come down before the computing and go up "
                      "after it."),
        Misconception("3/numbers-for-bytes", "You counted numbers; each of the P float32 numbers has 4 bytes."),
        Misconception("3/bits-and-bytes", "You counted bits; the bandwidth is in bytes a second, and a float32 has 4."),
        Misconception("3/computing-forgotten", "You compared the wire alone; the step has the computing in it, too, "
                      "and 5 % of the whole step is more."),
        Misconception("3/half-as-near", "Within 5 % means at most 1.05 times the floor; your number comes within "
                      "10 %."),
        Misconception("3/rounded-down", "Your number of servers is one short of what 5 % takes: round up."),
        Misconception("3/one-too-many", "One server less is within 5 % as well."),
        Misconception("3/servers-miscounted", "At your number the step is not the first within 5 % of the floor; write "
                      "down the seconds of a step for S = 1, 2, 3 and of the floor."),
        Misconception("3/racks-save-nothing", "Added within the rack, one tensor leaves it where a tensor of each "
                      "worker left before."),
        Misconception("3/one-rack-for-all", "You counted one rack; asked are the uplinks of all racks together."),
        Misconception("3/divided-by-racks", "You divided by the number of racks; adding within a rack divides by the "
                      "workers of a rack, of whose tensors one is left."),
        Misconception("3/one-uplink-for-all", "You let one tensor leave for all racks; each rack adds its own, and the "
                      "servers add what comes from the racks."),
        Misconception("3/both-ways", "You counted the pull as well; asked is one push."),
        Misconception("3/racks-miscounted", "These are not the bytes that leave the racks; count the tensors that "
                      "cross an uplink, 4P bytes each."),
    ),
    criteria=(
        Criterion("four clusters", _asked(lambda rng: list(_PRINTED)), 2),
        Criterion("twenty clusters more", _asked(lambda rng: questions(rng, 20)), 2),
        Criterion("simulated on either side", either_side, 2),
        Criterion("racks", racks, 2),
        Criterion("forty more, and racks", elsewhere, 2, hidden=True),
    ),
)
