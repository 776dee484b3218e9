"""O: the shape of a run: who sends to whom, in which order."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..exercise import Verdict
from .trials import Job, Trial, readable


def order(job: Job, *, allowed: Callable[[Trial, int, int], bool] | None = None,
          sequence: Callable[[Trial, int], Sequence[int]] | None = None, misconception: str, words: str,
          only: Callable[[Trial], bool] | None = None):
    """A judge of the trace.

    allowed(trial, src, dst): whether src may send to dst at all. sequence(trial, rank): the ranks that `rank` sends to,
    in the order of its sends. words: what is expected, for the student ('every rank sends to its right neighbour').
    """
    if allowed is None and sequence is None:
        raise ValueError("nothing is asked of the order; allowed or sequence is needed")

    def judge(answers, case) -> Verdict:
        shown = None
        for trial in job.on(case, only):
            run = job.run(answers, trial)
            seen = _strange(trial, run.trace, allowed) if allowed else None
            seen = seen or (_out_of_order(trial, run.trace, sequence) if sequence else None)
            if seen:
                return Verdict(False, words, seen, str(trial), misconception, run)
            shown = readable(shown, (trial, run))
        return Verdict(True, words, "as expected", str(shown[0]), run=shown[1])

    return judge


def _strange(trial: Trial, trace, allowed) -> str | None:
    for event in sorted(trace.events, key=lambda e: (e.posted_s, e.src, e.dst)):
        if not allowed(trial, event.src, event.dst):
            return f"rank {event.src} sends {event.payload_bytes:,} bytes to rank {event.dst}"
    return None


def _out_of_order(trial: Trial, trace, sequence) -> str | None:
    for rank in range(trial.K):
        # Python's sort is stable, and sends of one rank that were posted at one time start one after the other.
        sends = sorted((e for e in trace.events if e.src == rank), key=lambda e: (e.posted_s, e.start_s))
        seen, wanted = [e.dst for e in sends], list(sequence(trial, rank))
        if seen != wanted:
            return f"rank {rank} sends to {_ranks(seen)}; expected {_ranks(wanted)}"
    return None


def _ranks(ranks: Sequence[int]) -> str:
    if not ranks:
        return "nobody"
    return "rank " + ", ".join(map(str, ranks[:12])) + (", ..." if len(ranks) > 12 else "")
