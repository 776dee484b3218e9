"""The clock and the queue: which rank runs next, and at what virtual time.

    now ──┐   times (heap)    at[time]: entries in the order they were put there
          └─> 0.0             [rank 0, rank 1, rank 2]
              1.1e-05         [rank 1, a letter for rank 0]     an entry is a rank that goes on, or an object
              2.5e-05         [rank 2]                          whose fire() may name one

One rank runs at a time, until it waits inside a comm call; there it asks the queue who is next and hands over. Between
two comm calls no virtual time passes, so `now` is the same for everyone, and the order (time, order of posting) fixes
the whole run. Equal times are common (the ranks of a ring move in step), so they share one entry of the heap.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush


class Unwind(BaseException):
    """Thrown into ranks that must leave because the run is over. Programs let it pass."""


class Task:
    """One rank, as the kernel sees it: what carries it, what it waits for since when, how it ended."""

    __slots__ = ("carrier", "ended", "endpoint", "error", "in_free_s", "out_free_s", "rank", "result", "since_s",
                 "state", "waits_for")

    def __init__(self, rank: int):
        self.rank = rank
        self.carrier = None             # a greenlet, or a thread with its baton; None until it first runs
        self.endpoint = None
        self.waits_for = None           # an object with describe(): what the rank waits, or last waited, for
        self.since_s = 0.0
        self.out_free_s = self.in_free_s = 0.0      # from when on its two ports are free
        self.ended = False
        self.result = None
        self.error: BaseException | None = None
        self.state = None               # its own random generators, while another rank runs


class Alarm:
    """Wakes a waiting rank at the first of two events; the second finds it spent."""

    __slots__ = ("late", "task")

    def __init__(self, task: Task):
        self.task: Task | None = task
        self.late = False               # whether it was the time-out that came first

    def fire(self) -> Task | None:
        task, self.task = self.task, None
        return task


class Deadline:
    """The time-out of an alarm."""

    __slots__ = ("alarm",)

    def __init__(self, alarm: Alarm):
        self.alarm = alarm

    def fire(self) -> Task | None:
        task = self.alarm.fire()
        if task is not None:
            self.alarm.late = True
        return task


class Kernel:
    """Virtual time and turns. `park` is the only place where a rank stops and another goes on.

    What carries a rank is said by the two kernels in `carriers`: `prepare`, `add`, `check` (whether a
    rank may stop now), `switch`, `unwind`, `frame`, `thread_of`.
    """

    def __init__(self):
        self.now = 0.0
        self.last_end_s = 0.0           # when the last rank ended
        self.ticks = 0                  # turns given: standing still means that a rank does not come back
        self.main = Task(-1)            # the caller: has its turn when a rank ends or asks for it, or none can go on
        self.running = self.main
        self.ending = False             # the run is over: whoever waits is thrown an Unwind
        self.tasks: list[Task] = []
        self.strands: list[Task] = []   # second lines of ranks; they wait for work until the run is over
        self._left = 0
        self.failed: Task | None = None
        self._request: tuple[Task, Callable] | None = None
        self._times: list[float] = []
        self._at: dict[float, list] = {}
        self._due = iter(())
        self.latest_s, self.latest = -1.0, []     # the time that an entry was last put under, and what is there

    def at(self, time_s: float, entry) -> None:
        """Put a rank, or an object with fire(), into the queue."""
        if time_s == self.latest_s:                # as ranks in step do, a thousand times
            self.latest.append(entry)
            return
        entries = self._at.get(time_s)
        if entries is None:
            entries = self._at[time_s] = []
            heappush(self._times, time_s)
        entries.append(entry)
        self.latest_s, self.latest = time_s, entries

    def pick(self) -> Task:
        """Whose turn it is; the caller's when the queue is empty."""
        self.ticks += 1
        while True:
            for entry in self._due:             # goes on where the last call left it
                if type(entry) is Task:
                    return entry
                task = entry.fire()
                if task is not None:
                    return task
            if not self._times:
                return self.main
            self.now = time_s = heappop(self._times)
            if time_s == self.latest_s:
                self.latest_s = -1.0
            self._due = iter(self._at.pop(time_s))

    def park(self, waits_for) -> None:
        """The running rank waits; it is in the queue already, or what it waits for will put it there."""
        if self.ending:
            raise Unwind
        me = self.running
        self.check(me)
        me.waits_for = waits_for
        me.since_s = self.now
        turn = self.pick()
        if turn is not me:
            self.switch(me, turn)

    def fail(self, task: Task, error: BaseException) -> Task:
        """End the run with this error of a task, unless it is ending already; the caller has the next turn."""
        task.error = error
        if self.failed is None and not self.ending:
            self.failed = task
        return self.main

    def in_caller(self, action: Callable[[], None]) -> None:
        """Let the caller do something (draw a progress bar, say) while the running rank waits for it."""
        if self.ending:
            raise Unwind
        me = self.running
        self.check(me)
        self._request = me, action
        self.switch(me, self.main)

    def branch(self, task: Task, body: Callable[[], None]) -> None:
        """Give the running rank a second line of execution, which has its first turn when this one waits."""
        self.strands.append(task)
        self.add(task, self._beside(task, body))
        self.at(self.now, task)

    def run(self, bodies: dict[Task, Callable], explain: Callable[[Task | None], BaseException | None]) -> None:
        """Run every task's body until all have ended. Raises what a rank raised, or what `explain` makes of it.

        `explain(task that failed, or None when nobody can go on)` is asked while the other ranks still stand where
        they wait, so that it can look at their frames; it returns an exception, or None to raise the rank's own.
        """
        self.tasks, self._left = list(bodies), len(bodies)
        try:
            self.prepare({task: self._whole(task, body) for task, body in bodies.items()})
            for task in self.tasks:
                self.at(0.0, task)
            self._loop()
            if self.failed is not None:
                raise explain(self.failed) or self.failed.error
            if self._left:
                raise explain(None)
        finally:
            self.ending = True
            self.unwind()

    def _loop(self) -> None:
        turn = self.pick()
        while turn is not self.main:
            self.switch(self.main, turn)
            if self.failed is not None or not self._left:
                return
            if self._request is not None:
                (turn, action), self._request = self._request, None
                action()
            else:
                turn = self.pick()

    def _whole(self, task: Task, body: Callable) -> Callable[[], None]:
        def whole():
            try:
                task.result = body()
            except Unwind:
                pass
            except BaseException as error:  # noqa: BLE001 - whatever ends a rank ends the run, and is raised there
                self.fail(task, error)
            task.ended = True
            self._left -= 1
            self.last_end_s = self.now
        return whole

    def _beside(self, task: Task, body: Callable) -> Callable[[], None]:
        """As _whole, of a strand: the run does not wait for its end."""
        def beside():
            try:
                body()
            except Unwind:
                pass
            except BaseException as error:  # noqa: BLE001 - what it does not keep for a wait() ends the run
                self.fail(task, error)
            task.ended = True
        return beside
