"""The programs around the answers of 5.1 and 5.3 to 5.5: copied into the student's process, so no reference
stands here.

    applied     a list of arguments, and what a function gives for each
    decided     the same, where the answers are True and False
    gated       workers who begin when a gate lets them, in whole milliseconds; what they add up, in whole numbers
    clocked     the same between real ranks: K workers, and a clock server that asks the gate
    issued      workers with requests under way
    pushed      pushes to ranges of keys, one after the other
    exchanged   exchanges of workers' models with a centre, one after the other
"""

from __future__ import annotations

import heapq

import numpy as np

MODULUS = 2**31 - 1


def applied(function, comm, questions: list) -> list:
    """function(*question) for each, in the wire's types or as text."""
    given = [function(*_copy(question)) for question in questions]
    return [value if isinstance(value, (dict, list, tuple, int, float)) else repr(value)[:200] for value in given]


def decided(function, comm, questions: list) -> list:
    """function(*question) for each; a truth value of numpy's is one, too, and anything else comes back as text."""
    return [_answer(function(*_copy(question))) for question in questions]


def decided_on_sets(function, comm, questions: list) -> list:
    """The same, where the first argument is a list of sets, which do not travel."""
    return decided(lambda finished, *rest: function([set(own) for own in finished], *rest), comm, questions)


def _answer(value):
    if type(value).__name__ in ("bool", "bool_"):
        return bool(value)
    return f"{type(value).__name__} {value!r}"[:200]


def _copy(value):
    if isinstance(value, (list, tuple)):
        return type(value)(_copy(part) for part in value)
    return {key: _copy(part) for key, part in value.items()} if isinstance(value, dict) else value


def gradient(w: int, worker: int, step: int) -> int:
    """What a worker adds to w after it has read w: whole numbers, so that a sum has no order."""
    return (7_919 * w + 104_729 * worker + 611_953 * step + 1) % MODULUS


def gated(gate, comm, jobs: list) -> list:
    """jobs: [(milliseconds [K][T], s)]. For each: starts and ends [K][.], w at the end, and commits where it stuck."""
    return [_one(gate, seconds, s) for seconds, s in jobs]


def _one(gate, seconds: list, s) -> dict:
    K, T = len(seconds), len(seconds[0])
    commits, starts, ends = [0] * K, [[] for _ in range(K)], [[] for _ in range(K)]
    idle, running, now, w, read = set(range(K)), [], 0, 0, [0] * K
    while True:
        for worker in [r for r in sorted(idle) if commits[r] < T and gate(list(commits), r, s)]:
            idle.remove(worker)
            starts[worker].append(now)
            read[worker] = w
            heapq.heappush(running, (now + seconds[worker][commits[worker]], worker))
        if not running:
            return {"starts": starts, "ends": ends, "w": w, "commits": commits, "stuck": min(commits) < T}
        now = running[0][0]
        while running and running[0][0] == now:                     # all that end now, and then the gate is asked
            _, worker = heapq.heappop(running)
            w = (w + gradient(read[worker], worker, commits[worker])) % MODULUS
            ends[worker].append(now)
            commits[worker] += 1
            idle.add(worker)


def clocked(gate, comm, seconds: list, s) -> list:
    """Ranks 0 to K-1 work; rank K counts commits and lets them begin. A worker gives [(start_s, end_s)]."""
    K, T = len(seconds), len(seconds[0])
    if comm.rank < K:
        steps = []
        comm.post(K, "ready")
        for c in range(T):
            comm.poll()
            start_s = comm.now()
            comm.compute(1e-3 * seconds[comm.rank][c])
            steps.append((start_s, comm.now()))
            comm.post(K, "committed")
        return steps
    commits, waiting = [0] * K, set()
    while min(commits) < T:
        letter = comm.poll()
        commits[letter.src] += letter.kind == "committed"
        if commits[letter.src] < T:
            waiting.add(letter.src)
        for worker in [r for r in sorted(waiting) if gate(list(commits), r, s)]:
            waiting.remove(worker)
            comm.post(worker, "begin")
    return []


def issued(gate, comm, jobs: list) -> list:
    """jobs: [(compute ms [K][T], wire ms [K][T], tau)]. For each the starts [K][.], and whether somebody stuck.

    An iteration computes, and then its requests are under way; it is finished when they are answered.
    """
    return [_with_requests(gate, *job) for job in jobs]


def _with_requests(gate, compute: list, wire: list, tau: int) -> dict:
    K, T = len(compute), len(compute[0])
    starts, finished, idle, now = [[] for _ in range(K)], [set() for _ in range(K)], set(range(K)), 0
    events: list = []
    while True:
        for r in sorted(idle):
            t = len(starts[r])
            if t < T and gate([set(own) for own in finished], r, t, tau):
                idle.remove(r)
                starts[r].append(now)
                computed = now + compute[r][t]
                heapq.heappush(events, (computed, r, -1))
                heapq.heappush(events, (computed + wire[r][t], r, t))
        if not events:
            return {"starts": starts, "stuck": min(map(len, starts)) < T}
        now = events[0][0]
        while events and events[0][0] == now:
            _, r, t = heapq.heappop(events)
            if t < 0:
                idle.add(r)
            else:
                finished[r].add(t)


def pushed(push_range, comm, hi: int, pushes: list) -> list:
    """The ranges of the keys 0 <= key < hi after each push (lo, hi, worker, clock), as they were at that moment."""
    ranges, after = [(0, hi, {})], []
    for push in pushes:
        ranges = push_range(ranges, *push)
        after.append(_copy(list(ranges)) if isinstance(ranges, (list, tuple)) else repr(ranges)[:200])
    return after


def exchanged(easgd_step, comm, locals_, centre, alpha: float, times: int) -> dict:
    """locals_ (K, P) and centre (P,) after each exchange, and whether one of them changed the arrays it was given."""
    states, changed = [], False
    for _ in range(times):
        given = locals_.copy(), centre.copy()
        state = easgd_step(*given, alpha)
        changed = changed or not ((given[0] == locals_).all() and (given[1] == centre).all())
        states.append(state)
        if not isinstance(state, (tuple, list)) or len(state) != 2 or any(
                getattr(new, "shape", None) != old.shape for new, old in zip(state, given)):
            break
        locals_, centre = (np.array(part) for part in state)
    return {"states": states, "changed": changed}
