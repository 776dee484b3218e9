"""Strands of real ranks: threads that share their rank's one endpoint.

    program    ── start ── compute ═══════════ isend ── wait ─────            PyTorch computes without Python's lock, so
    strand        └─ isend ─ poll(sockets) ···│····─ add ─ done              the strand reads, adds and writes meanwhile
                                              └ kick: something may have changed

An endpoint is made for one thread. While a strand exists, its methods stand behind one re-entrant lock, which is let go
of completely while a line waits. One waiting line polls the sockets for all of them (the driver); the others wait until
it has done something. Whoever changes something while the driver sleeps wakes it through a pipe.

All that is put before the endpoint's own methods when the first strand begins, and taken away at the end of the run: a
rank without strands pays nothing.
"""

from __future__ import annotations

import os
import select
import threading
import time

from .strand import Handle, Strand, carry_out, failed
from .tags import label

DOORS = ("isend", "isend_device", "irecv", "irecv_plus", "relay", "post", "poll", "progress", "hold_until", "withdraw",
         "post_again", "flush", "empty", "report")      # of an endpoint; not every kind has all of them
PATIENCE_S = 0.05
GLANCE_S = 1e-4
LEAVE_S = 5.0                                           # one that is stuck in a transfer to a rank that is gone
SOMETHING = [(-1, 0)]                                   # for `progress`: an event of no socket


class Over(BaseException):
    """Thrown into a strand that must leave because the run is over."""


class Threaded:
    """What endpoints in real time have in common. `shared` is None as long as there are no strands."""

    shared: Shared | None = None

    def strand(self, comm) -> ThreadStrand:
        if self.shared is None:
            self.shared = Shared(self)
        return ThreadStrand(comm, self)

    def unwaited(self) -> dict:
        return {} if self.shared is None else self.shared.unwaited

    def end_strands(self, well: bool = True) -> None:
        """At the end of a program: no thread outlives its run. well: let what still travels arrive first."""
        if self.shared is not None:
            if well:
                for handle in [handle for strand in self.shared.strands for handle in strand.queue]:
                    self.wait_until(handle, None)
            self.shared.close()
            self.shared = None

    def check_strand(self, waited) -> None:
        """Raise what a line that waits must know; called again and again."""

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    def compute(self, seconds: float) -> None:
        """Computing takes its own time here."""

    def _kept(self) -> str:
        """What lies here that nobody asked for: the usual trace of a wrong tag."""
        kept = [f"rank {src} sent tag {label(tag)}" for (src, _, tag), q in self.unexpected.items() if q and tag >= 0]
        return "here, not asked for: " + "; ".join(kept[:3]) if kept else ""


class ThreadHandle(Handle):
    """A handle that an endpoint can wait for, as for a message."""

    __slots__ = ()
    short = False                   # see ProcessEndpoint.wait_until

    def call(self) -> str:
        return f"wait() of {self.name}"

    @property
    def peer(self) -> int | None:
        return self.strand.waits_for_rank()

    @property
    def tag(self) -> int:
        """Of what its strand waits for: it tells which collective call that is in."""
        return getattr(self.strand.waited, "tag", 0)


class ThreadStrand(Strand):
    """A strand that is a thread."""

    def __init__(self, comm, endpoint):
        shared = self.shared = endpoint.shared
        super().__init__(comm, endpoint, shared.unwaited)
        self.endpoint, self.waited, self.since_s = endpoint, None, 0.0
        self.fresh = threading.Condition(shared.lock)
        self.thread = threading.Thread(target=self._live, daemon=True, name=f"rank {endpoint.rank}: strand")
        shared.strands.append(self)
        self.thread.start()

    def handle(self, *fields) -> ThreadHandle:
        return ThreadHandle(self, *fields)

    def held(self):
        return self.shared.lock

    def enqueue(self, handle: Handle) -> None:
        with self.shared.lock:
            self.queue.append(handle)
            self.fresh.notify()

    def wait_for(self, handle: Handle, timeout_s: float | None) -> None:
        try:
            self.endpoint.wait_until(handle, timeout_s)
        except TimeoutError:
            raise TimeoutError(f"rank {self.endpoint.rank}: wait() of {handle.name}, started at {handle.where}, took "
                               f"longer than timeout_s={timeout_s:g} seconds") from None

    def waits_for_rank(self) -> int | None:
        waited = self.waited
        return None if waited is None else waited.peer

    def _live(self) -> None:
        shared = self.shared
        shared.by_thread[threading.get_ident()] = self
        try:
            while True:
                with shared.lock:
                    while not self.queue:
                        if shared.over:
                            return
                        self.fresh.wait()
                    handle = self.queue[0]
                self._carry_out(handle)
        except Over:
            return

    def _carry_out(self, handle: Handle) -> None:
        try:
            carry_out(handle, handle.where)
        except Over:
            raise
        except BaseException as error:  # noqa: BLE001 - an exit() is raised again too, in the program's wait()
            handle.error, self.broken = error, handle
        with self.shared.lock:
            self.queue.popleft()
            handle.done, future = True, handle.future
            self.shared.stir()
        if future is not None:
            handle.tell_future()


class Shared:
    """What stands before one endpoint's methods while it has strands; also its poller."""

    def __init__(self, endpoint):
        self.endpoint = endpoint
        self.lock = threading.RLock()
        self.moved = threading.Condition(self.lock)
        self.driving = self.over = False
        self.moves = 0                                  # how often something came, or a line said that it is done
        self.unwaited: dict[Handle, None] = {}
        self.strands: list[ThreadStrand] = []
        self.by_thread: dict[int, ThreadStrand] = {}
        self.poller, self.pipe = endpoint.poller, os.pipe()
        for descriptor in self.pipe:
            os.set_blocking(descriptor, False)
        self.poller.register(self.pipe[0], select.POLLIN)
        self.before = dict(vars(endpoint))
        self.wait_alone, self.kept_alone = endpoint.wait_until, endpoint._kept
        for name in DOORS:
            if hasattr(endpoint, name):
                setattr(endpoint, name, self._locked(getattr(endpoint, name), name != "progress"))
        endpoint.poller, endpoint.wait_until, endpoint._kept = self, self.wait_until, self.kept
        self.ours = [name for name, value in vars(endpoint).items() if self.before.get(name) is not value]

    def close(self) -> None:
        """Every strand leaves; the endpoint is as before."""
        with self.lock:
            self.over = True
            for strand in self.strands:
                strand.fresh.notify_all()
            self.stir()
        for strand in self.strands:
            strand.thread.join(LEAVE_S)
        for name in self.ours:
            if name in self.before:
                setattr(self.endpoint, name, self.before[name])
            else:
                delattr(self.endpoint, name)
        self.poller.unregister(self.pipe[0])
        for descriptor in self.pipe:
            os.close(descriptor)

    def _locked(self, method, kicks: bool):
        def locked(*args, **options):
            with self.lock:
                value = method(*args, **options)
                if kicks and self.driving:
                    self._kick()
                return value
        return locked

    def stir(self) -> None:
        """Something has changed: let every line look."""
        self.moves += 1
        self.moved.notify_all()
        if self.driving:
            self._kick()

    def _kick(self) -> None:
        try:
            os.write(self.pipe[1], b"\0")
        except BlockingIOError:                         # full: the driver has not seen the last ones yet
            return

    # ---- in place of the endpoint's poller --------------------------------------------------------------------------

    def poll(self, timeout_ms: float) -> list:
        """What the endpoint's `progress` calls, with the lock held."""
        if not timeout_ms and threading.get_ident() in self.by_thread:
            self.moved.wait(GLANCE_S)                   # one that only glances, again and again, leaves the core alone
        if self.driving:
            before = self.moves
            self.moved.wait(max(timeout_ms / 1000, GLANCE_S))
            return [] if self.moves == before else SOMETHING
        self.driving = True
        held = self.lock._release_save()                # as Condition.wait does, however deep we are in it
        try:
            ready = self.poller.poll(timeout_ms)
        finally:
            self.lock._acquire_restore(held)
            self.driving = False
            self.moved.notify_all()                     # they look when we let go of the lock again: all is done then
        self.moves += bool(ready)
        if any(descriptor == self.pipe[0] for descriptor, _ in ready):
            os.read(self.pipe[0], 4096)
        return ready

    def register(self, descriptor: int, events: int) -> None:
        self.poller.register(descriptor, events)

    def modify(self, descriptor: int, events: int) -> None:
        self.poller.modify(descriptor, events)

    def unregister(self, descriptor: int) -> None:
        self.poller.unregister(descriptor)

    # ---- in place of the endpoint's own waiting ---------------------------------------------------------------------

    def wait_until(self, waited, timeout_s: float | None) -> None:
        """The program's line waits as ever, and tells the world where; a strand tells only its own rank."""
        with self.lock:
            strand = self.by_thread.get(threading.get_ident())
            if strand is None:
                self.wait_alone(waited, timeout_s)
                return
            before, strand.waited, strand.since_s = strand.waited, waited, time.monotonic()
            try:
                self._wait(waited, timeout_s, strand.since_s)
            finally:
                strand.waited = before

    def _wait(self, waited, timeout_s: float | None, since_s: float) -> None:
        endpoint = self.endpoint
        while not waited.done:
            if self.over:
                raise Over
            endpoint.check_strand(waited)
            left_s = PATIENCE_S
            if timeout_s is not None:
                left_s = min(left_s, since_s + timeout_s - time.monotonic())
                if left_s <= 0:
                    raise TimeoutError(f"rank {endpoint.rank}: {waited.call()} waited {timeout_s:g} s for rank "
                                       f"{waited.peer}")
            endpoint.progress(left_s * 1000)

    def kept(self) -> str:
        """The note in the table of a stall: also what the strands are at."""
        notes = [f"in the background: {strand.waited.call()} of {strand.queue[0].name}, started at "
                 f"{strand.queue[0].where}" for strand in self.strands if strand.waited is not None and strand.queue]
        return "; ".join(filter(None, [self.kept_alone(), *notes[:2], failed(self.unwaited)]))
