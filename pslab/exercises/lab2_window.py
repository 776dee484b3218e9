"""2.6: several requests under way at once, each with a handle, at most `size` of them without an answer.

    size 2    ask 0 ──────> answer 0         ask 2 ──────> answer 2          n requests: ⌈n / size⌉ round trips
              ask 1 ──────> answer 1         ask 3 ──────> answer 3
              wait(1) gives answer 1 as soon as it is there, whether or not answer 0 has come

The reference is a Window of our own, run in the simulator here; times and values must be its.
"""

from __future__ import annotations

import math

import torch

from pslab.comm import CommError, Link, SimWorld
from pslab.grade import Case, Criterion, Exercise, Misconception, Verdict

from .lab2_cluster import windowed
from .lab2_common import FORBIDDEN, naming

NAME = "Window"
LINK = Link(latency_s=1e-3, overhead_s=0.0, bandwidth_Bps=1e12)          # round trips, and next to nothing beside them
ROUND_TRIP_S = 2 * LINK.latency_s
AT_ONCE = {"hold": 0, "delay_s": {}, "patience_s": 0.05}


class Reference:
    """The window as it should be; `slip` makes it one of the usual others."""

    def __init__(self, comm, size: int, slip: str = ""):
        self.comm, self.size, self.slip = comm, size, slip
        self.next, self.open, self.answers = 0, [], {}

    def ask(self, server: int, key: int) -> int:
        while len(self.open) >= self.size and self.slip != "2/window-overrun":
            if self.slip == "2/oldest-first":
                self._until(self.open[0])
            else:
                self._one()
        t, self.next = self.next, self.next + 1
        self.comm.post(server, "pull", {"q": t, "key": key})
        self.open.append(t)
        if self.slip == "2/one-at-a-time":
            self._until(t)
        return t

    def wait(self, t: int):
        if self.slip == "2/waits-for-all":
            while self.open:
                self._one()
        if self.slip == "2/whatever-came":
            while not self.answers:
                self._one()
            return self.answers.pop(next(iter(self.answers)))
        self._until(t)
        return self.answers.pop(t)

    def _until(self, t: int) -> None:
        while t not in self.answers:
            self._one()

    def _one(self) -> None:
        letter = self.comm.poll()
        t = self.open[0] if self.slip == "2/order-of-requests" else letter.meta["q"]
        self.open.remove(t)
        self.answers[t] = letter.tensors[0]


SLIPS = ("2/window-overrun", "2/oldest-first", "2/one-at-a-time", "2/waits-for-all", "2/whatever-came",
         "2/order-of-requests")


def simulated(size, script, orders, servers: int, slip: str = "") -> list:
    """[(value, seconds)] of each step of the script, by the reference."""
    def program(comm):
        return windowed(lambda comm, size: Reference(comm, size, slip), comm, size, script, orders)
    return SimWorld(servers + 1, link=LINK, trace=False).run(program).results[0]["steps"]


# ---- scripts --------------------------------------------------------------------------------------------------------


def ask_all(n: int, waits) -> list:
    """n requests to server 1, then waits in this order."""
    return [("ask", 1, 3 * i + 1) for i in range(n)] + [("wait", int(i)) for i in waits]


def scrambled(rng):
    """(size, script, orders, servers, words): answers come last request first, and are waited for in any order."""
    hold = {**AT_ONCE, "hold": 2}
    yield 5, ask_all(3, (1, 0, 2)), hold, 1, "three requests, the last is answered first"
    yield 11, ask_all(9, rng.permutation(9)), hold, 1, "nine requests, waited for in any order"
    yield 12, ask_all(10, range(9, -1, -1)), AT_ONCE, 1, "ten requests, the last one waited for first"


def uneven(rng):
    """One server is slow: what it is asked must hold up nothing else."""
    slow = {**AT_ONCE, "delay_s": {1: 0.040}}
    quick = [("ask", 1, 1), ("ask", 2, 2), ("wait", 1), ("wait", 0)]
    yield 2, quick, slow, 2, "the slow one first; the quick one's answer is waited for"
    past = [("ask", 1, 1), *(("ask", 2, 10 + i) for i in range(6)), ("wait", 6), ("wait", 0), ("wait", 3)]
    yield 2, past, slow, 2, "one place of two is taken by the slow one"


def drawn(rng):
    for _ in range(6):
        size, servers = int(rng.integers(1, 6)), int(rng.integers(2, 4))
        n = int(rng.integers(4, 16))
        delays = {s: float(rng.integers(0, 20)) * 1e-3 for s in range(1, servers + 1)}
        asks = [("ask", int(rng.integers(1, servers + 1)), int(rng.integers(100))) for _ in range(n)]
        waits = [("wait", int(i)) for i in rng.permutation(n)]
        yield size, asks + waits, {**AT_ONCE, "delay_s": delays}, servers, f"{n} requests to {servers} servers"


# ---- judging --------------------------------------------------------------------------------------------------------


def _run(answers, size, script, orders, servers):
    return answers.run(NAME, servers + 1, size, script, orders, within=windowed, face="mail", link=LINK)


def like(scripts_of):
    """A judge of every value and of the second at which it was there."""
    def judge(answers, case: Case) -> Verdict:
        for size, script, orders, servers, words in scripts_of(case.rng):
            run, where = _run(answers, size, script, orders, servers), f"{words}, size {size}"
            right, seen = simulated(size, script, orders, servers), run.results[0]["steps"]
            bad = _odd_letters(run, script, where) or _different(script, seen, right)
            if isinstance(bad, Verdict):
                return bad
            if bad is not None:
                why = next((slip for slip in SLIPS if _different(script, seen, right)
                            and not _different(script, seen, _tried(size, script, orders, servers, slip))), bad[2])
                return Verdict(False, bad[0], bad[1], where, why, run)
        return Verdict(True, "each answer to its request, as soon as it is there", "right, at the right time", where,
                       run=run)
    return judge


def _tried(size, script, orders, servers, slip) -> list:
    """What a slip gives; nothing where it gets stuck."""
    try:
        return simulated(size, script, orders, servers, slip)
    except (CommError, LookupError, ValueError) as stuck:
        return [[None, repr(stuck)]]


def _odd_letters(run, script, where: str) -> Verdict | None:
    for server, notes in enumerate(run.results[1:], start=1):
        wanted = [step[2] for step in script if step[0] == "ask" and step[1] == server]
        if [key for _, _, key in notes["asked"]] != wanted or any(kind != "pull" for kind, *_ in notes["asked"]):
            return Verdict(False, f"pulls of keys {wanted} to server {server}", f"{notes['asked'][:6]}", where,
                           "2/not-the-pull-agreed", run)
    return None


def _different(script, seen, right) -> tuple[str, str, str] | None:
    if len(seen) != len(right):
        return f"{len(right)} steps", f"{len(seen)}", "2/answer-of-another"
    for step, (value, at_s), (wanted, wanted_s) in zip(script, seen, right):
        what = f"{step[0]}{step[1:]}"
        if wanted is not None:
            same = isinstance(value, torch.Tensor) and value.shape == wanted.shape and torch.equal(value, wanted)
            if not same:
                return f"{what} gives {wanted.tolist()}", f"{_plain(value)}", "2/answer-of-another"
        if not math.isclose(at_s, wanted_s, rel_tol=0.01, abs_tol=1e-5):
            return (f"{what} is over after {1e3 * wanted_s:.2f} ms", f"after {1e3 * at_s:.2f} ms",
                    "2/window-overrun" if at_s < wanted_s else "2/waits-too-long")
    return None


def _plain(value):
    return value.tolist() if isinstance(value, torch.Tensor) else repr(value)[:60]


def filled(answers, case: Case) -> Verdict:
    """A server that gathers requests before it answers any: how many it has then, and how long all takes."""
    for size, n in ((1, 3), (3, 10), (4, 12), (8, 5)):
        where = f"{n} requests, size {size}"
        script = ask_all(n, range(n))
        run = _run(answers, size, script, {**AT_ONCE, "hold": 50}, 1)
        bad, most, wanted = _odd_letters(run, script, where), run.results[1]["most"], min(size, n)
        if bad is not None:
            return bad
        if most != wanted:
            why = "2/one-at-a-time" if most == 1 else "2/window-overrun" if most > wanted else "2/window-not-filled"
            if most > wanted and most - wanted == 1 and n > most:
                why = "2/window-one-too-large"
            return Verdict(False, f"{wanted} without an answer", f"{most}", where, why, run, most / wanted)
        run = _run(answers, size, script, AT_ONCE, 1)
        wanted_s, seen_s = math.ceil(n / size) * ROUND_TRIP_S, run.results[0]["steps"][-1][1]
        if not math.isclose(seen_s, wanted_s, rel_tol=0.01):
            why = "2/window-overrun" if seen_s < wanted_s else "2/waits-too-long"
            return Verdict(False, f"⌈{n}/{size}⌉ round trips, {1e3 * wanted_s:g} ms", f"{1e3 * seen_s:.2f} ms", where,
                           why, run, seen_s / wanted_s)
    return Verdict(True, "the window filled, never overrun", f"⌈n/size⌉ round trips of {1e3 * ROUND_TRIP_S:g} ms",
                   where, run=run)


def nothing_kept(answers, case: Case) -> Verdict:
    """300 requests, each waited for: the answers are the caller's then."""
    script = [step for i in range(300) for step in (("ask", 1, i), ("wait", i))]
    kept = _run(answers, 4, script, AT_ONCE, 1).results[0]["kept"]
    if kept > 30:
        return Verdict(False, "a handful of numbers in the window", f"{kept}", "300 requests, all waited for",
                       "2/keeps-all-answers")
    return Verdict(True, "a handful of numbers in the window", f"{kept} numbers after 300 requests",
                   "all of them waited for")


WINDOW = Exercise(
    id="2.6", lab="2", title="A window of requests", names=(NAME,),
    signature="class Window:\n"
              "    def __init__(self, comm, size: int)\n"
              "    def ask(self, server: int, key: int) -> int      # 0, 1, 2, ...: the number of this request\n"
              "    def wait(self, t: int) -> Tensor                 # the answer to request t; each is waited for once",
    points=15, minutes=15, difficulty=3, core=False, prerequisites=("2.4",), forbidden=FORBIDDEN,
    goal="Have up to `size` requests without an answer. ask posts one and returns its number at once; only when the "
         "window is full it waits, for any answer. wait(t) returns the answer to request t, in whatever order answers "
         "come, as soon as it is there. What has been waited for is forgotten.",
    example="size 2, round trip 2 ms: ask, ask return at 0 ms, the third ask at 2 ms; wait(2) returns at 4 ms; "
            "wait(0) and wait(1) then return at once",
    hints=(
        "An answer may come when nobody waits for it, or while another one is waited for. Where does it stay until its "
        "wait comes? And what does ask have to know in order not to overrun the window?",
        'The letter: comm.post(server, "pull", {"q": t, "key": key}). The answer: a letter with meta {"q": t} and one '
        "tensor. Keep how many are without an answer, and a dict of answers that came and were not waited for.",
        "A helper that takes one letter: open -= 1; answers[letter.meta['q']] = letter.tensors[0]. ask: while open == "
        "size, call it. wait(t): while t not in answers, call it; return answers.pop(t).",
    ),
    misconceptions=(
        Misconception("2/order-of-requests", "Answers were taken in the order of the requests; they come in any order, "
                      'and meta["q"] says which request one belongs to.'),
        Misconception("2/whatever-came", "wait returned whichever answer came first; it is asked for one of them."),
        Misconception("2/answer-of-another", "An answer is not the one to its request."),
        Misconception("2/waits-for-all", "wait(t) waited for every open request; it needs one of them, and the others "
                      "may take long."),
        Misconception("2/oldest-first", "With a full window ask waited for the oldest request; any answer makes room, "
                      "and the oldest may be with a slow server."),
        Misconception("2/one-at-a-time", "There was never more than one request under way; n requests then take n "
                      "round trips, whatever the size."),
        Misconception("2/window-one-too-large", "size + 1 requests were without an answer; look for room before you "
                      "post, not after it."),
        Misconception("2/window-overrun", "More than `size` requests were without an answer; the server has to keep "
                      "them all."),
        Misconception("2/window-not-filled", "Fewer than `size` requests were under way at once; a request may leave "
                      "as long as size - 1 or fewer are open."),
        Misconception("2/waits-too-long", "An answer was there earlier than it was handed out, or a request could have "
                      "left earlier."),
        Misconception("2/not-the-pull-agreed", 'The letters are not those asked for: one letter "pull" for each ask, '
                      'meta {"q": number, "key": key}, to its server.'),
        Misconception("2/answer-thrown-away", "wait waits for an answer that has already come; what arrives while "
                      "something else is waited for must be kept."),
        Misconception("2/keeps-all-answers", "Answers that were waited for are still kept; after a day of training "
                      "that is all of them."),
    ),
    criteria=(
        Criterion("each answer to its request", naming(like(scrambled), stalled="2/answer-thrown-away"), 5),
        Criterion("a full window, never more", naming(filled, stalled="2/answer-thrown-away"), 4),
        Criterion("a slow server holds up nobody", naming(like(uneven), stalled="2/answer-thrown-away"), 3),
        Criterion("nothing is kept", nothing_kept, 1),
        Criterion("other requests", naming(like(drawn), stalled="2/answer-thrown-away"), 2, hidden=True),
    ),
)
