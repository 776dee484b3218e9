"""0B.4: a gradient travels while the next one is computed. Two workers, whose all-reduce is a message each way.

    computing    |── layer 3 ──|─ layer 2 ─|──── layer 1 ────|
    travelling                 |── 3 ──|   |─ 2 ─|           |── 1 ──|        ends at max(...), not at the sum

    ready_i = seconds of layers 0 .. i             done_i = max(ready_i, done_{i−1}) + α + n_i·β
    T = done of the last one: exactly, in the simulator, on a port that is busy for α + n·β with a message of n bytes
"""

from __future__ import annotations

import math

from pslab.comm import Link
from pslab.grade import Case, Criterion, Exercise, Misconception, Verdict, contracts

from .lab0_common import ITEM_BYTES, STUCK, Once, all_of, reading, told
from .lab0b_common import undrawn

NAME, DRAWN = "overlapped_sum", "computing takes longer"
US = 1e-6
LINK = Link(latency_s=0.0, overhead_s=10 * US, bandwidth_Bps=1e9)     # as in the notebook


# ---- trials ---------------------------------------------------------------------------------------------------------


def trial_of(layers, label: str) -> contracts.Trial:
    """layers: (seconds of computing, elements). Element j of worker r's gradient of layer i is 2j + r + 10i."""
    ranks = [[(seconds, contracts.integers(P, 2, rank) + 10 * i) for i, (seconds, P) in enumerate(layers)]
             for rank in range(2)]
    sums = [a + b for (_, a), (_, b) in zip(*ranks)]
    return contracts.Trial([(mine,) for mine in ranks], [sums, sums], sum(P for _, P in layers), True, label,
                           kwargs={"link": LINK}, facts={"layers": list(layers)})


def trials(case: Case):
    def about(seconds_us: float) -> float:
        return float(seconds_us * (1 + case.rng.random() / 4)) * US

    yield trial_of([(about(100), 5_000), (about(150), 10_000), (about(80), 3_000)], DRAWN)
    yield trial_of([(about(20), 20_000), (about(20), 30_000), (about(20), 10_000), (about(20), 40_000)],
                   "travelling takes longer")
    yield trial_of([(about(30), 60_000), (about(60), 500), (about(60), 500), (about(60), 500), (about(60), 500)],
                   "one large gradient at first")
    yield trial_of([(about(50), 7)], "one layer")
    yield trial_of([(about(10), 3), (0.0, 0), (about(40), 11)], "a layer without parameters")


def hidden_trials(case: Case):
    for count in (2, 6, 9):
        layers = [(float(case.rng.random()) * 200 * US, int(case.rng.integers(0, 30_000))) for _ in range(count)]
        yield trial_of(layers, f"{count} other layers")


def seconds(layers) -> float:
    """T by the recurrence above."""
    ready = done = 0.0
    for compute_s, P in layers:
        ready += compute_s
        done = max(ready, done) + LINK.port_s(ITEM_BYTES * P)
    return done


def one_after_the_other(layers) -> float:
    return sum(compute_s + LINK.port_s(ITEM_BYTES * P) for compute_s, P in layers)


# ---- judging --------------------------------------------------------------------------------------------------------


def own(trial):
    return [[gradient for _, gradient in mine] for mine, in trial.per_rank]


def others(trial):
    return own(trial)[::-1]


def means(trial):
    return [[total / 2 for total in sums] for sums in trial.expected]


def reversed_sums(trial):
    return [sums[::-1] for sums in trial.expected]


EXPLAINS = {"0B/not-reduced": own, "0B/only-the-others": others, "0/mean-for-sum": means,
            "0B/last-layer-first": reversed_sums}


def exact_time(job: Once):
    """A judge of the virtual clock: T as above, neither later nor earlier."""
    def judge(answers, case: Case) -> Verdict:
        shown = None
        for trial in sorted(job.on(case), key=lambda t: str(t) != DRAWN):
            run, layers = job.run(answers, trial), trial.facts["layers"]
            wanted = seconds(layers)
            expected = f"{_us(wanted)}; computing alone {_us(sum(c for c, _ in layers))}, one after the other " \
                       f"{_us(one_after_the_other(layers))}"
            if not math.isclose(run.seconds, wanted, rel_tol=1e-6):
                why = "0B/before-it-is-computed" if run.seconds < wanted else _why_late(layers, run)
                return Verdict(False, expected, _us(run.seconds), str(trial), why, run, run.seconds / wanted)
            shown = shown or (expected, _us(run.seconds), str(trial), run)
        expected, seen, where, run = shown
        return Verdict(True, expected, seen, where, run=run, ratio=1.0)
    return judge


def _why_late(layers, run) -> str:
    """By when the messages of worker 0 were posted and when they started."""
    computing = sum(compute_s for compute_s, _ in layers)
    events = sorted((e for e in run.trace.events if e.src == 0), key=lambda e: e.posted_s)
    if len(layers) > 1 and events and events[0].posted_s >= computing * (1 - 1e-9):
        return "0B/sent-at-the-end"
    if events and events[-1].posted_s > computing * (1 + 1e-9):
        return "0B/computing-waits"
    return "0B/nobody-receives-yet"


def _us(value_s: float) -> str:
    return f"{value_s / US:.1f} µs"


JOB = Once(NAME, trials, "sums")
HIDDEN = Once(NAME, hidden_trials, "sums")
VALUES = {"otherwise": "0B/wrong-sums", "explains": EXPLAINS}

OVERLAP = Exercise(
    id="0B.4", lab="0B", title="Send while you compute", names=(NAME,),
    signature="def overlapped_sum(comm, layers: list[tuple[float, Tensor]]) -> list[Tensor]",
    points=20, minutes=30, difficulty=3, core=False, prerequisites=("0A",),
    goal="Two workers. layers holds (seconds, gradient) in the order of a backward pass: call comm.compute(seconds), "
         "and the gradient is there. Return the sum over both workers of each, in this order. One message each way for "
         "a gradient, and no second lost: a gradient travels while the next one is computed.",
    example="10 µs and 400 bytes, then 10 µs and 400 bytes, where 400 bytes travel for 10.4 µs: one after the other "
            "40.8 µs, overlapped max(10 + 10.4, 20) + 10.4 = 30.8 µs",
    hints=(
        "Draw two lines, one for what is computed and one for what travels. What is the earliest moment at which a "
        "gradient can leave? What has to be there on the other side at that moment?",
        "isend starts a message and returns; the message moves once the other side has posted its receive. So irecv "
        "belongs before, and wait() after, everything that is to run beside it.",
        "First loop: irecv for every layer (tag = its place). Second: compute, then isend, keep the work. Third: wait "
        "for the receives, add, wait for the sends.",
    ),
    misconceptions=(
        *told(*STUCK, "0/ranks-share-nothing", "0/mean-for-sum"),
        Misconception("0B/not-reduced", "You returned this worker's own gradients; the sum has the other "
                      "worker's, too."),
        Misconception("0B/only-the-others", "You returned what came; the sum has this worker's own gradients, too."),
        Misconception("0B/last-layer-first", "The sums are right and in the wrong order; place i is for layer i."),
        Misconception("0B/wrong-sums", "A sum is not that of both workers' gradients of one layer; where messages "
                      "overtake, a tag for each layer keeps them apart."),
        Misconception("0B/gradient-twice", "More bytes than each gradient once each way; with two workers the other "
                      "one needs yours, and nothing comes back of what it has."),
        Misconception("0B/many-messages", "More messages left than there are gradients; each costs its α, and one is "
                      "enough."),
        Misconception("0B/one-large-message", "You glued gradients together; that saves α, and the first one has to "
                      "wait for the last: nothing can travel while you compute."),
        Misconception("0B/before-it-is-computed", "That is faster than can be: a gradient left before its layer was "
                      "computed; call comm.compute(seconds) first, as a real backward pass takes its time."),
        Misconception("0B/sent-at-the-end", "All messages left after the last layer; a gradient can leave as soon as "
                      "its own layer is computed."),
        Misconception("0B/computing-waits", "The next layer had to wait until a message had arrived; wait() belongs "
                      "after everything that can run beside the message."),
        Misconception("0B/nobody-receives-yet", "Messages were posted in time and then stood still, for nobody had "
                      "posted a receive; irecv early, so that they can move while you compute."),
    ),
    criteria=(
        Criterion("sums", reading(undrawn(contracts.values(JOB, **VALUES))), 4),
        Criterion("bytes", reading(undrawn(contracts.traffic(
            JOB, link=lambda t, src, dst: contracts.exactly(ITEM_BYTES * t.P), more="0B/gradient-twice",
            less="0/ranks-share-nothing"))), 3),
        Criterion("a message for each gradient", reading(undrawn(contracts.messages(
            JOB, link=lambda t, src, dst: contracts.exactly(len(t.facts["layers"])), more="0B/many-messages",
            less="0B/one-large-message"))), 2),
        Criterion("no second lost", reading(exact_time(JOB)), 6),
        Criterion("in real processes", reading(undrawn(contracts.two_worlds(
            JOB, misconception="0/ranks-share-nothing"))), 2),
        Criterion("other layers", reading(all_of(contracts.values(HIDDEN, **VALUES), exact_time(HIDDEN))), 3,
                  hidden=True),
    ),
)
