"""What labs 0A and 0B share: their links, runs that several criteria look at, standstills read, and common sentences.

    JOB = Once("reduce_scatter", trials, "sum")         a Job whose runs are made once and looked at by V, B, M, O and T
    reading(values(JOB, ...))                           a judge that says how ranks got stuck, not only that they did
    told("0/ranks-share-nothing", ...)                  the sentences of these ids, for an exercise's misconceptions

The port model of both labs: full duplex, one port a rank and direction, busy for α + n·β with a message of n bytes. All
of α is overhead and none is latency, so that messages of one rank never overlap and closed forms hold exactly.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from weakref import WeakKeyDictionary

from pslab.comm import Link
from pslab.grade import AnswerFailed, Case, Misconception, Stalled, Verdict, contracts

ITEM_BYTES = 4                                                       # float32
LINK = Link(latency_s=0.0, overhead_s=10e-6, bandwidth_Bps=1e6)      # α = 10 µs, a byte 1 µs: both terms show


def chunk_sizes(P: int, K: int) -> list[int]:
    """Elements of each of K chunks of P elements, cut as torch.tensor_split does: the first P mod K are longer."""
    return [P // K + (rank < P % K) for rank in range(K)]


# ---- runs -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Once(contracts.Job):
    """A Job on LINK whose trials depend on the seed alone and not on the criterion, and whose runs in the simulator are
    kept: a criterion that asks for the same run again is given the one that was made. Labels of trials must differ.

    Twenty-five runs a check instead of a hundred. Worlds of real processes are never kept.
    """

    kept: WeakKeyDictionary = field(default_factory=WeakKeyDictionary, compare=False, repr=False)

    def on(self, case: Case, only=None) -> list[contracts.Trial]:
        """Those that are easiest to read come first: three to five ranks, a few elements for each."""
        trials = sorted(super().on(replace(case, stream=""), only),
                        key=lambda t: (not 3 <= t.K <= 5, not t.K <= t.P <= 100))
        among = frozenset((case.seed, str(trial)) for trial in trials)
        return [replace(trial, kwargs={"link": LINK, **trial.kwargs},
                        facts={**trial.facts, "seed": case.seed, "among": among}) for trial in trials]

    def run(self, answers, trial, **kwargs):
        settings = {**trial.kwargs, **kwargs}
        if settings.get("world") == "process":                       # not throttled: values and bytes are judged there
            return super().run(answers, replace(trial, kwargs={}), **{**settings, "link": None})
        runs = self.kept.setdefault(answers, {})
        self.tell_again(answers, trial)
        key = trial.facts["seed"], str(trial), repr(sorted(settings.items()))
        if key not in runs:
            try:
                runs[key] = super().run(answers, trial, **kwargs)
            except AnswerFailed as failed:
                failed.where = "; ".join(filter(None, (failed.where, str(trial))))     # which K, which length
                runs[trial.facts["seed"], str(trial)] = failed
                raise
        return runs[key]

    def tell_again(self, answers, trial) -> None:
        """Raise what stopped one of the trials beside this one, if a criterion before came upon it: the report then
        says 'as' that one, and not the same at another size."""
        runs = self.kept.get(answers, {})
        for at in trial.facts["among"]:
            if at in runs:
                raise runs[at].with_traceback(None)


def fresh(case: Case, trials: Iterable[contracts.Trial]) -> list[contracts.Trial]:
    """Of hidden cases only the trials that differ from the public ones: drawn lengths and numbers, the further K."""
    return [t for t in trials if case.public or t.K not in contracts.trials.WORLD_SIZES or not t.exact
            or t.P not in (0, t.K - 1, contracts.trials.LARGE)]


# ---- judges ---------------------------------------------------------------------------------------------------------


def reading(judge: Callable) -> Callable:
    """The judge, and where ranks got stuck, the verdict with the lab's own sentence for it.

    An exercise whose criteria are read so has the misconceptions of STUCK.
    """
    def judged(answers, case) -> Verdict:
        try:
            return judge(answers, case)
        except Stalled as failed:
            return Verdict(False, failed.expected, failed.seen, failed.where, how_stuck(failed.seen), failed.run)
    return judged


def unless_wrong(judge: Callable, values: Callable) -> Callable:
    """The judge; but what moved too little and is a wrong result too, ends as the judge of values says.

    Nothing reached a rank by a back door where nothing reached it.
    """
    def judged(answers, case) -> Verdict:
        verdict = judge(answers, case)
        if verdict.passed or verdict.misconception != "0/ranks-share-nothing":
            return verdict
        valued = values(answers, case)
        return verdict if valued.passed else valued
    return judged


def all_of(*judges: Callable) -> Callable:
    """One criterion of several judges, in order: the first refusal counts; of runs to draw, the first's is kept."""
    def judged(answers, case) -> Verdict:
        verdicts = []
        for judge in judges:
            verdicts.append(judge(answers, case))
            if not verdicts[-1].passed:
                return verdicts[-1]
        first = verdicts[0]
        seen = "; ".join(dict.fromkeys(v.seen for v in verdicts if v.seen))
        return replace(first, seen=seen, expected=seen if first.ratio is not None else first.expected)
    return judged


STUCK = ("0/everyone-sends-first", "0/everyone-receives-first", "0/sent-and-never-received")
_ROW = re.compile(r"^(\d+) +(i?send|recv)\(", re.MULTILINE)


def how_stuck(table: str) -> str:
    """The misconception that a table of who waits for whom shows."""
    if "tensors that nobody received" in table:
        return "0/sent-and-never-received"
    calls = {call.removeprefix("i") for _, call in _ROW.findall(table)}
    if calls == {"send"} and "has ended" not in table:
        return "0/everyone-sends-first"
    if calls == {"recv"} and not any(sign in table for sign in ("has ended", "sent, but never received")):
        return "0/everyone-receives-first"
    return "all/stalled"


# ---- sentences ------------------------------------------------------------------------------------------------------

SENTENCES = {
    "0/everyone-sends-first": "Every rank stands in a send and nobody receives; send, and the wait() of an isend, last "
    "until the other side receives, so start with isend, receive, and wait afterwards.",
    "0/everyone-receives-first": "Every rank waits to receive before anybody has sent; somebody must start, and isend "
    "lets all of them start at once.",
    "0/sent-and-never-received": "A tensor was sent that nobody received; to every send belongs one receive, so count "
    "both sides and look at the last round.",
    "0/ranks-share-nothing": "Numbers reached a rank that nobody sent to it; ranks share no variables, and what looks "
    "like one Python global in the simulator is K separate ones on real machines.",
    "0/input-changed": "You changed the caller's tensor; it still belongs to the caller after the call, so work on a "
    "copy.",
    "0/mean-for-sum": "You returned the mean; all-reduce and reduce-scatter give the sum, and whoever wants a mean "
    "divides once, later.",
    "0/divided-twice": "You divided by K twice; the sum needs no division, and a mean needs one.",
    "0/remainder-dropped": "You lost the last elements: K need not divide P, and the first P mod K chunks are one "
    "element longer, as torch.tensor_split(x, K) cuts them.",
    "0/two-ranks-only": "It is right for two ranks and wrong for more; with two, the rank to the left is also the rank "
    "to the right, which hides mistakes of direction, of order and of count.",
}


def told(*ids: str) -> tuple[Misconception, ...]:
    """The shared misconceptions of these ids."""
    return tuple(Misconception(name, SENTENCES[name]) for name in ids)


def sums(xs: Iterable) -> list:
    """The reference of an all-reduce: from the inputs of all ranks to the results of all ranks."""
    xs = list(xs)
    return [sum(xs)] * len(xs)
