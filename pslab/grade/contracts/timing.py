"""T and R: seconds of virtual time under a stated port model, and the most bytes that were held at once.

    Link(overhead, latency 0, bandwidth): a message of n bytes holds its two ports for overhead + n / bandwidth, so the
    α of the textbooks is the overhead, and sends of one rank never overlap.
"""

from __future__ import annotations

from collections.abc import Callable

from pslab.comm import Link

from ..exercise import Verdict
from .trials import Job, Trial, readable

SINGLE_PORT = Link(latency_s=0.0, overhead_s=10e-6, bandwidth_Bps=1e9)


def virtual_time(job: Job, expected_s: Callable[[Trial, Link], float], *, slower: str, faster: str,
                 tolerance: float = 0.01, link: Link = SINGLE_PORT, only: Callable[[Trial], bool] | None = None):
    """A judge of the simulator's clock: within `tolerance` of expected_s(trial, link), in both directions.

    A run that is faster than the optimum did not send what it must. slower, faster: their misconceptions.
    """

    def judge(answers, case) -> Verdict:
        shown = None
        for trial in job.on(case, only):
            run = job.run(answers, trial, link=link)
            wanted = expected_s(trial, link)
            expected, seen = _seconds(wanted), _seconds(run.seconds)
            ratio = run.seconds / wanted if wanted else None
            if run.seconds > wanted * (1 + tolerance) + 1e-12:
                how = f"{seen}, {ratio:.2f}x the time of the bound" if ratio else seen
                return Verdict(False, expected, how, str(trial), slower, run, ratio)
            if run.seconds < wanted * (1 - tolerance) - 1e-12:
                return Verdict(False, expected, f"{seen}, which is faster than can be", str(trial), faster, run, ratio)
            shown = readable(shown, (trial, run, expected, seen, ratio))
        trial, run, expected, seen, ratio = shown
        return Verdict(True, expected, seen, str(trial), run=run, ratio=ratio)

    return judge


def memory(job: Job, most: Callable[[Trial], int], *, misconception: str, only: Callable[[Trial], bool] | None = None):
    """A judge of the largest number of bytes that the run held beyond its arguments, by rank: at most most(trial)."""

    def judge(answers, case) -> Verdict:
        shown = None
        for trial in job.on(case, only):
            run = job.run(answers, trial)
            bound = most(trial)
            if run.peak_bytes is None:
                raise RuntimeError("the run did not measure its memory")
            if run.peak_bytes > bound:
                ratio = run.peak_bytes / bound if bound else None
                how = f", {ratio:.1f}x the bound" if ratio else ""
                return Verdict(False, f"at most {bound:,} bytes held", f"{run.peak_bytes:,} bytes held{how}",
                               str(trial), misconception, run, ratio)
            shown = readable(shown, (trial, run, bound))
        trial, run, bound = shown
        return Verdict(True, f"at most {bound:,} bytes held", f"{run.peak_bytes:,} bytes held", str(trial), run=run)

    return judge


def _seconds(seconds: float) -> str:
    for scale, unit in ((1, "s"), (1e-3, "ms"), (1e-6, "µs")):
        if seconds >= scale:
            return f"{seconds / scale:.4g} {unit}"
    return f"{seconds / 1e-6:.4g} µs"
