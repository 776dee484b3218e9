"""Learning rates that change with the step: functions of the step, and the rule that takes its rate from one.

    warm_up(4)      1/4 1/2 3/4 1 1 1 1 ...                 the factor on the rule's rate, step by step
    step_decay([6]) 1 1 1 1 1 1 .1 .1 ...
    cosine(8)       1 .96 .85 .69 .5 .31 .15 .04 0 0 ...    (1 + cos(π step / 8)) / 2

    AdaGrad(0.05) ──> Scheduled(AdaGrad(0.05), cosine(1000)) ──> workers, servers and owners alike

A schedule belongs to the *rule*, as everybody who takes steps has the rule: workers for the dense parameters, servers
for their tables, the ranks of an exchange for the rows that they own. Each of them counts: a rule's `step` is told t,
from 1, and the factor is that of step t - 1. Nothing is sent, and nobody can have another rate than the others:

    workers, owners, servers in rounds (BSP)    t is the training step + 1, on all of them
    servers with staleness above 0 or ASP       t is the number of pushes that the server has taken in the table. Give
                                                pushes_per_step=K: the rate then moves by one step every K pushes, which
                                                is the step where all workers touch the server every time, and later
                                                where some do not
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import lru_cache
from numbers import Real

from pslab.ps import Rule


@dataclass(frozen=True)
class RateSchedule:
    """factor(step), step from 0: what the rate of a rule is multiplied by. `a * b` multiplies two schedules."""

    kind: str
    numbers: tuple
    then: RateSchedule | None = None

    def factor(self, step: int) -> float:
        """The factor of this step, counted from 0."""
        own = _KINDS[self.kind](step, *self.numbers)
        return own if self.then is None else own * self.then.factor(step)

    def __mul__(self, other: RateSchedule) -> RateSchedule:
        if not isinstance(other, RateSchedule):
            return NotImplemented
        return replace(self, then=other if self.then is None else self.then * other)


def warm_up(steps: int) -> RateSchedule:
    """(step + 1) / steps in the first `steps` steps, 1 from then on (Goyal et al. 2017 begin at the first part too)."""
    return RateSchedule("warm_up", (_whole("steps", steps),))


def step_decay(at: Sequence[int], factor: float = 0.1) -> RateSchedule:
    """`factor` to the power of how many of the steps `at` are reached: as torch's MultiStepLR."""
    at = tuple(_whole("at", each) for each in at)
    if not isinstance(factor, Real) or not 0 <= factor < math.inf:
        raise ValueError(f"factor={factor!r}; a number from 0 is needed")
    return RateSchedule("step_decay", (at, float(factor)))


def cosine(steps: int, lowest: float = 0.0) -> RateSchedule:
    """From 1 at step 0 along half a cosine to `lowest` at step `steps`, and that from then on (Loshchilov & Hutter
    2017, without restarts): lowest + (1 - lowest) (1 + cos(π step / steps)) / 2."""
    if not isinstance(lowest, Real) or not 0 <= lowest <= 1:
        raise ValueError(f"lowest={lowest!r}; a number from 0 to 1 is needed")
    return RateSchedule("cosine", (_whole("steps", steps), float(lowest)))


@dataclass(frozen=True)
class Scheduled(Rule):
    """`rule` with its rate (lr, or FTRL's alpha) multiplied by schedule.factor(step).

    pushes_per_step: what t is divided by to get the step; 1 wherever t counts rounds (see above). The state, its names
    and its width are those of `rule`.

    Example: Scheduled(AdaGrad(0.05), warm_up(100) * cosine(10_000))
    """

    rule: Rule
    schedule: RateSchedule
    pushes_per_step: int = 1

    def __post_init__(self):
        if not isinstance(self.rule, Rule) or isinstance(self.rule, Scheduled):
            raise ValueError(f"rule={self.rule!r}; an update rule without a schedule is needed, as AdaGrad(0.05)")
        if not isinstance(self.schedule, RateSchedule):
            raise ValueError(f"schedule={self.schedule!r}; one of warm_up, step_decay, cosine, or their product, is "
                             f"needed")
        _whole("pushes_per_step", self.pushes_per_step)
        _rate_name(self.rule)

    @property
    def slots(self):
        return self.rule.slots

    @property
    def scratches(self):
        return self.rule.scratches

    @property
    def every_row(self):
        """Whether every row steps, touched or not (DenseAdam)."""
        return getattr(self.rule, "every_row", False)

    @property
    def state_names(self):
        return self.rule.state_names

    def state_width(self, dim):
        return self.rule.state_width(dim)

    def new_state(self, num_rows, dim):
        return self.rule.new_state(num_rows, dim)

    def at(self, t: int) -> Rule:
        """The rule as it is at the t-th step, counted from 1."""
        return _at(self, (t - 1) // self.pushes_per_step)

    def step(self, rows, grads, state, t):
        self.at(t).step(rows, grads, state, t)


@lru_cache(maxsize=64)
def _at(scheduled: Scheduled, step: int) -> Rule:
    rule = scheduled.rule
    name = _rate_name(rule)
    return replace(rule, **{name: getattr(rule, name) * scheduled.schedule.factor(step)})


def _rate_name(rule: Rule) -> str:
    names = [field.name for field in fields(rule)] if is_dataclass(rule) else []
    for name in ("lr", "alpha"):
        if name in names:
            return name
    raise ValueError(f"rule={rule!r}; a schedule changes its field lr (or alpha), which it has not")


def _warm_up(step: int, steps: int) -> float:
    return min(1.0, (step + 1) / steps)


def _step_decay(step: int, at: tuple, factor: float) -> float:
    return factor ** sum(step >= each for each in at)


def _cosine(step: int, steps: int, lowest: float) -> float:
    return lowest + (1 - lowest) * (1 + math.cos(math.pi * min(step, steps) / steps)) / 2


_KINDS: dict[str, Callable[..., float]] = {"warm_up": _warm_up, "step_decay": _step_decay, "cosine": _cosine}


def _whole(argument: str, value) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"{argument}={value!r}; a whole number from 1 is needed")
    return value
