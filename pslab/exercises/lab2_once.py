"""2.5: every push counts once, though letters and answers are lost, come twice, late, and workers start again.

    worker                                server
    push_all: send, wait for an answer,   apply_once: known? answer again. New? note it down, add, answer.
    send again what has none

    V   rows = sum of distinct pushes, on streams of letters            R   numbers held: a window and a mark a sender
    F   the two together, on networks that drop, double and reorder     M   nothing is sent again without need
"""

from __future__ import annotations

import numpy as np
import torch

from pslab.comm import Faults, Link
from pslab.grade import Case, Criterion, Exercise, Stalled, TimedOut, Verdict, contracts

from .lab2_cluster import pushed
from .lab2_common import FORBIDDEN, all_of, explained, naming
from .lab2_letters import SLIPS, rows_after, stream
from .lab2_once_texts import EXAMPLE, GOAL, HINTS, MISCONCEPTIONS, SIGNATURE
from .lab2_programs import fed

APPLY, PUSH_ALL = "apply_once", "push_all"
WINDOW, SIZE, RETRY_S, GROUPS = 4, 5, 0.1, 25
LINK = Link(latency_s=1e-3, overhead_s=0.0, bandwidth_Bps=1e9)
PLAIN = {"ignore": {}, "hold": 0, "copies": 1, "stale": 0}


# ---- the server -----------------------------------------------------------------------------------------------------


def rows_once(streams_of, window: int = WINDOW):
    """A judge of rows and acknowledgements on streams of letters."""
    def judge(answers, case: Case) -> Verdict:
        streams = streams_of(case.rng)
        results = answers.run(APPLY, 1, SIZE, window, streams, within=fed, timeout_s=20.0).results[0]
        for letters, result in zip(streams, results):
            right = rows_after(letters, SIZE)
            words = contracts.difference(result["rows"], right)
            if words is not None:
                rows = np.asarray(result["rows"], float)
                slips = {slip: lambda slip=slip, letters=letters: rows_after(letters, SIZE, slip) for slip in SLIPS}
                otherwise = "2/applied-twice" if rows.sum() > right.sum() else "2/push-lost"
                why = explained(lambda believed, rows=rows: np.array_equal(believed, rows), slips, right, otherwise)
                return Verdict(False, "the sum of distinct pushes", words, _told(letters), why)
            for at, ((_, life, number, *_), ack) in enumerate(zip(letters, result["acks"])):
                if ack != [life, number]:
                    again = letters[at] in letters[:at]
                    return Verdict(False, f"({life}, {number}) as the answer to letter {at + 1}", repr(ack),
                                   _told(letters[:at + 1]), "2/copy-without-answer" if again else "2/wrong-answer")
        count = sum(map(len, streams))
        return Verdict(True, "the sum of distinct pushes, an answer to each letter", f"{count} letters right")
    return judge


def _told(letters) -> str:
    shown = " ".join(f"{sender}{chr(39) * life}:{number}" for sender, life, number, *_ in letters[-12:])
    return f"letters as sender:number{', the last' if len(letters) > 12 else ''} {shown}"


def one_sender(rng):
    letter = [(1, 0, n, n % SIZE, 10 + n) for n in range(4)]
    return [[letter[i] for i in (0, 1, 1, 2)], [letter[i] for i in (0, 2, 1, 3, 2)],
            *(stream(rng, {(1, 0): 20}, WINDOW, SIZE) for _ in range(5))]


def several_senders(rng):
    return [[(1, 0, 0, 0, 5), (2, 3, 0, 0, 7), (2, 3, 0, 0, 7), (1, 0, 1, 1, 1), (2, 3, 1, 1, 2)],
            [(1, 0, 0, 0, 5), (2, 0, 0, 0, 7), (2, 0, 0, 0, 7), (1, 0, 1, 1, 1), (2, 0, 1, 1, 2)],
            *(stream(rng, {(1, 0): 12, (2, 0): 12, (7, 0): 5}, WINDOW, SIZE) for _ in range(4))]


def started_again(rng):
    first = [(1, 0, 0, 0, 5), (1, 0, 0, 0, 5), (1, 0, 1, 1, 6), (2, 0, 0, 2, 9), (1, 1, 0, 0, 7)]
    other, old, new = (2, 0, 0, 2, 9), (1, 0, 1, 1, 6), (1, 1, 0, 0, 7)                # copies of what came before
    return [first, [*first, other, (1, 1, 1, 1, 1)], [*first, other, old, new],
            *(stream(rng, {(1, 0): 6, (1, 1): 6, (1, 2): 6, (2, 0): 15}, WINDOW, SIZE, twice=0.5) for _ in range(4))]


def large_windows(rng):
    """Windows other than the usual one are in the argument, not in the code."""
    return [stream(rng, {(1, 0): 60, (3, 0): 60}, 16, SIZE, drop=0.4) for _ in range(4)]


def many_letters(case: Case):
    """10,000 pushes of three senders, in one stream, and little of it is remembered."""
    pushes = {(1, 0): 4_000, (1, 1): 1_000, (2, 0): 2_500, (3, 0): 2_500}
    return stream(case.rng, pushes, 8, SIZE, drop=0.03, twice=0.05)


def bounded(answers, case: Case) -> Verdict:
    window, senders = 8, 3
    letters = many_letters(case)
    result = answers.run(APPLY, 1, SIZE, window, [letters], within=fed, timeout_s=20.0).results[0][0]
    bound = senders * (2 * window + 16)
    where = f"10,000 pushes in {len(letters):,} letters, window {window}, {senders} senders"
    if result["numbers"] > bound:
        return Verdict(False, f"at most {bound} numbers in `seen`", f"{result['numbers']:,}", where,
                       "2/remembers-everything", ratio=result["numbers"] / bound)
    words = contracts.difference(result["rows"], rows_after(letters, SIZE))
    if words is not None:
        rows, right = np.asarray(result["rows"], float), rows_after(letters, SIZE)
        return Verdict(False, "the sum of distinct pushes", words, where,
                       "2/applied-twice" if rows.sum() > right.sum() else "2/push-lost")
    return Verdict(True, f"at most {bound} numbers in `seen`", f"{result['numbers']} numbers for 10,000 pushes", where)


# ---- the worker -----------------------------------------------------------------------------------------------------


def work_of(rng, K: int, pushes: int, incarnation: int = 0) -> list:
    return [(incarnation, torch.from_numpy(rng.integers(0, SIZE, pushes)),
             torch.from_numpy(rng.integers(1, 90, pushes)).float()) for _ in range(K)]


def _run(answers, *groups, window=WINDOW, faults=None, seed=0, trace=True, **habits):
    """A run of groups, each a server and the workers of one `work`."""
    ranks = sum(len(work) + 1 for work in groups)
    return answers.run(PUSH_ALL, ranks, list(groups), window, RETRY_S, {**PLAIN, **habits}, within=pushed, face="mail",
                       link=LINK, faults=faults, seed=seed, trace=trace, timeout_s=6.0)


def arrived(run, work, server: int = 0) -> tuple[str, str] | None:
    """(seen, misconception) where the letters that a server got are not those of the work, each at least once."""
    for sender, (life, keys, vals) in enumerate(work, start=server + 1):
        mine = [letter for letter in run.results[server]["letters"] if letter[0] == sender]
        for _, seen_life, number, key, val, _, kind in mine:
            if kind not in ("push", "lost") or seen_life is None or number is None:
                return f"a letter {kind!r} with n={seen_life}, q={number}", "2/not-the-push-agreed"
            fits = 0 <= number < len(keys) and (key, val) == (int(keys[number]), float(vals[number]))
            if seen_life != life or not fits:
                what = f"number {number} of incarnation {seen_life} with key {key} and value {val:g}"
                return f"worker {sender} sent {what}", "2/another-number-again"
        reached = {letter[2] for letter in mine if letter[6] == "push"}
        missing = [number for number in range(len(keys)) if number not in reached]
        if missing:
            return f"number {missing[0]} of worker {sender} never arrived", "2/never-sent-again"
    return None


def reaches(answers, case: Case) -> Verdict:
    """The server takes one copy of a letter for lost; answers come twice; answers to a former life come first."""
    expected = "every push is sent until it is acknowledged"
    scenes = (
        ("first copies of numbers 2 and 5 are lost", {"ignore": {2: 1, 5: 1}}, "2/never-sent-again"),
        ("three copies of number 1 are lost", {"ignore": {1: 3}}, "2/gives-up"),
        ("the first copy of 2 is lost, every answer comes twice", {"ignore": {2: 1}, "copies": 2}, "2/answers-counted"),
        ("the first copy of 2 is lost, and answers to a former life come first", {"ignore": {2: 1}, "stale": 6},
         "2/answer-to-a-former-life"),
    )
    for where, habits, why in scenes:
        work = work_of(case.rng, 1, 8, incarnation=3)
        try:
            run = _run(answers, work, **habits)
        except (Stalled, TimedOut) as failed:
            return Verdict(False, expected, failed.seen, where, why, failed.run)
        bad = arrived(run, work)
        if bad is not None:
            return Verdict(False, expected, bad[0], where, why if bad[1] == "2/never-sent-again" else bad[1], run)
    return Verdict(True, expected, f"right where {len(scenes)} kinds of letters are lost", where, run=run)


def with_measure(answers, case: Case) -> Verdict:
    """Window filled and kept, nothing sent again early or for the second time, the end not before the last answer."""
    work = work_of(case.rng, 1, 13)
    run = _run(answers, work)
    where, letters, done_s = "nothing is lost", run.results[0]["letters"], run.results[1]["done_s"]
    if len(letters) > len(work[0][1]):
        return Verdict(False, "13 letters for 13 pushes", f"{len(letters)} letters", where, "2/sent-again-early", run)
    if done_s < run.results[0]["last_ack_s"] + LINK.latency_s * 0.99:
        return Verdict(False, "the end after the last answer", f"back {1e3 * done_s:.2f} ms after the start, the last "
                       f"answer left at {1e3 * run.results[0]['last_ack_s']:.2f} ms", where, "2/gone-too-early", run)
    for window in (1, WINDOW, 6):
        held = _run(answers, work, window=window, hold=20).results[0]["most"]
        where = f"window {window}, a server that gathers letters before it answers"
        if held > window:
            return Verdict(False, f"at most {window} without an answer", f"{held}", where, "2/window-overrun", run)
        if held < window:
            return Verdict(False, f"{window} without an answer", f"{held}", where, "2/window-not-used", run)
    run = _run(answers, work, ignore={2: 2})
    where, letters = "two copies of number 2 are lost", run.results[0]["letters"]
    copies_s = [letter[5] for letter in letters if letter[2] == 2]
    if any(b - a < 0.99 * RETRY_S for a, b in zip(copies_s, copies_s[1:])):
        gap_s = min(b - a for a, b in zip(copies_s, copies_s[1:]))
        return Verdict(False, f"{RETRY_S:g} s between copies", f"{gap_s:.3g} s", where, "2/sent-again-early", run)
    if len(letters) > 13 + 2:
        return Verdict(False, "13 letters and two copies of number 2", f"{len(letters)} letters", where,
                       "2/all-sent-again", run)
    return Verdict(True, "a letter for each push, copies only of what was lost", f"{len(letters)} letters", where,
                   run=run)


def together(schedules: int, public_schedules: int):
    """Two or three workers on a bad network; what arrived, in that order, goes through apply_once.

    25 networks a run: each link suffers by itself, so groups of one world are as good as worlds; and a world of more
    than 64 ranks needs no thread for each of them.
    """
    def judge(answers, case: Case) -> Verdict:
        many = public_schedules if case.public else schedules
        streams, wheres = [], []
        for i in range(many // GROUPS):
            groups = [work_of(case.rng, 3 if i % 4 == 3 else 2, 4) for _ in range(GROUPS)]
            seed = int(case.rng.integers(2**31))
            faults = Faults(seed, drop=0.25, duplicate=0.25, reorder_s=0.02, delay_s=0.01)
            run = _run(answers, *groups, faults=faults, seed=seed, trace=False)
            for g, work in enumerate(groups):
                server = g * (len(work) + 1)
                where = f"{len(work)} workers of server {server}; replay with faults of seed {seed}"
                bad = arrived(run, work, server)
                if bad is not None:
                    return Verdict(False, "every push arrives", bad[0], where, bad[1])
                streams.append([(*letter[:4], int(letter[4])) for letter in run.results[server]["letters"]])
                wheres.append((where, sum(np.bincount(w[1].numpy(), w[2].numpy(), SIZE) for w in work)))
        results = answers.run(APPLY, 1, SIZE, WINDOW, streams, within=fed, timeout_s=20.0).results[0]
        for letters, (where, right), result in zip(streams, wheres, results):
            words = contracts.difference(result["rows"], right)
            if words is not None:
                rows = np.asarray(result["rows"], float)
                slips = {slip: lambda slip=slip, letters=letters: rows_after(letters, SIZE, slip) for slip in SLIPS}
                otherwise = "2/applied-twice" if rows.sum() > right.sum() else "2/push-lost"
                why = explained(lambda believed, rows=rows: np.array_equal(believed, rows), slips, right, otherwise)
                return Verdict(False, "rows are the sum of all pushes", words, where, why)
        return Verdict(True, "rows are the sum of all pushes", f"right on {many} bad networks")
    return judge


ONCE = Exercise(
    id="2.5", lab="2", title="Exactly once", names=(APPLY, PUSH_ALL), signature=SIGNATURE,
    points=30, minutes=30, difficulty=4, core=True, prerequisites=("2.1",), forbidden=FORBIDDEN,
    goal=GOAL, example=EXAMPLE, hints=HINTS, misconceptions=MISCONCEPTIONS,
    criteria=(
        Criterion("copies and letters that overtake", rows_once(one_sender), 4),
        Criterion("several senders", rows_once(several_senders), 2),
        Criterion("a worker that starts again", rows_once(started_again), 4),
        Criterion("little memory", all_of([bounded, rows_once(large_windows, 16)]), 4),
        Criterion("until it is acknowledged", naming(reaches, stalled="2/never-sent-again"), 5),
        Criterion("no letter without need", naming(with_measure, stalled="2/waits-for-ever"), 4),
        Criterion("together, on bad networks", together(200, 25), 3),
        Criterion("together, on 200 other ones", together(200, 25), 4, hidden=True),
    ),
)
