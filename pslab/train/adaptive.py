"""How large s should be, chosen by the worker that waits.

    window 1  s = 0  waited 50 %        window 2  s = 1  waited 38 %        …        s = 8  waited 4 %      good
    window 1  s = 0  waited 74 %        window 2  s = 1  waited 73 %        …        s = 8  waited 75 %     s = 0 again

A worker sees its own waits and nothing else, so there is nobody to ask: each chooses for itself. What s can hide are
stragglers that change; one that stays is as slow at every s, and then fresh reads are the better choice.
"""

from __future__ import annotations

from pslab.ps import SSP, Consistency


class AdaptiveStaleness:
    """A worker's own choice of s, from what it waited: up while that helps, back to `least` where it does not.

    Every `window` steps it looks at the share of its time that it waited. Above `bearable` it doubles s, up to `most`
    (from 0 to 1). If in two windows at the highest s the share has not come below `helped` times the first one's, the
    straggler is one that no s hides: s falls back to `least` for good, where reads are freshest.
    """

    def __init__(self, *, least: int = 0, most: int = 8, window: int = 16, bearable: float = 0.05, helped: float = 0.7):
        for name, value in (("least", least), ("most", most)):
            if isinstance(value, bool) or not isinstance(value, int) or value < 0:
                raise ValueError(f"{name}={value!r}; a whole number from 0 is needed")
        if most < least:
            raise ValueError(f"most={most}; at least least={least} is needed")
        if isinstance(window, bool) or not isinstance(window, int) or window < 1:
            raise ValueError(f"window={window!r}; a whole number from 1 is needed")
        for name, value in (("bearable", bearable), ("helped", helped)):
            if not 0 <= value <= 1:
                raise ValueError(f"{name}={value!r}; a share from 0 to 1 is needed")
        self.least, self.most, self.window, self.bearable, self.helped = least, most, window, bearable, helped
        self.staleness, self.settled = least, False
        self.shares: list[tuple[int, float]] = []              # (s, share waited) of every window so far
        self._waited_s = self._busy_s = 0.0
        self._steps = 0

    def observe(self, waited_s: float, busy_s: float) -> None:
        """A step is over: seconds waited before it, and seconds it computed."""
        self._waited_s, self._busy_s, self._steps = self._waited_s + waited_s, self._busy_s + busy_s, self._steps + 1
        if self._steps == self.window:
            total_s = self._waited_s + self._busy_s
            self.shares.append((self.staleness, self._waited_s / total_s if total_s else 0.0))
            self._waited_s = self._busy_s = 0.0
            self._steps = 0
            if not self.settled:
                self._choose()

    def _choose(self) -> None:
        s, share = self.shares[-1]
        if share <= self.bearable:
            return
        if s < self.most:
            self.staleness = min(max(1, 2 * s), self.most)
            return
        at_most = [share for limit, share in self.shares if limit == s]
        if len(at_most) < 2:
            return                                              # the first window at `most` still spends the new slack
        self.settled = True
        if min(at_most) > self.helped * self.shares[0][1]:
            self.staleness = self.least


class AdaptiveSSP(Consistency):
    """The consistency of a worker that chooses its staleness: options as of AdaptiveStaleness, most at least 1.

    Workers are given this object, each a copy of its own, and servers `served`, which holds all to `most`:

        table = TableConfig(..., consistency=mode if is_worker else mode.served)
        mode.observe(waited_s, computed_s)          after each computation, before the clock() that ends its round
    """

    reads_own = True

    def __init__(self, **options):
        self.chooser = AdaptiveStaleness(**options)
        if self.chooser.most < 1:
            raise ValueError(f"most={self.chooser.most}; at least 1 is needed: with 0 it is BSP")
        self.served = SSP(self.chooser.most)

    @property
    def staleness(self) -> int:
        return self.chooser.staleness

    def observe(self, waited_s: float, computed_s: float) -> None:
        self.chooser.observe(waited_s, computed_s)
