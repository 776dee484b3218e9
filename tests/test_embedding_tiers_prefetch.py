"""Prefetching: the same values, rows that stay while they are needed, errors that are told, threads that end."""

import threading

import numpy as np
import pytest
import torch

from pslab.comm import SimWorld
from pslab.embedding.tiers import MemoryStore, Prefetcher, RemoteStore, RowLayout, TieredStore, TieredTable, serve_rows
from pslab.embedding.tiers.holding import Held, Holding
from pslab.ps import AdaGrad, Uniform

R, DIM, LIMIT_S = 600, 4, 20.0              # LIMIT_S: how long a test that is stuck waits before it fails
LAYOUT = RowLayout(DIM, AdaGrad(0.1), Uniform(0.1, seed=3), "t")


class Slow(MemoryStore):
    """Rows in memory, whose reads can be held up."""

    def __init__(self):
        super().__init__(R, first=LAYOUT)
        self.hold_up = None                 # ids that, when they are read, wait for `go` and announce it by `came`
        self.came, self.go, self.readers = threading.Event(), threading.Event(), []
        self.error = None

    def _read(self, ids, out):
        self.readers.append((threading.current_thread().name, ids.tolist()))
        if self.hold_up is not None and np.isin(ids, self.hold_up).any() and \
                threading.current_thread().name == "pslab-prefetch":
            super()._read(ids, out)         # what was there before it was held up
            self.came.set()
            assert self.go.wait(LIMIT_S)
            return
        if self.error is not None and threading.current_thread().name == "pslab-prefetch":
            raise self.error
        super()._read(ids, out)


def store_of(rows, slow=None, kind=TieredStore):
    slow = Slow() if slow is None else slow
    return kind(slow, TieredStore(MemoryStore(R, LAYOUT.width), 1 << 30).bytes_for(rows))


def wants(table):
    return lambda ids: [(table.store, ids)]


@pytest.fixture(autouse=True)
def _no_thread_is_left():
    before = set(threading.enumerate())
    yield
    left = [thread for thread in threading.enumerate() if thread not in before]
    assert not left


def batches(count=60, size=50, seed=0):
    draw = np.random.default_rng(seed)
    return [draw.zipf(1.3, size) * 31 % R for _ in range(count)]


def train(table, order):
    draw, seen = np.random.default_rng(1), []
    for ids in order:
        rows = table.lookup(ids)
        seen.append(rows)
        table.update(ids, rows + torch.from_numpy(draw.standard_normal((len(ids), DIM), dtype=np.float32)))
    return seen


@pytest.mark.parametrize("depth", [1, 2, 5])
@pytest.mark.parametrize("rows", [60, 130, R], ids=["hardly fits", "some", "all"])
def test_the_values_are_those_without_prefetching_bit_for_bit(rows, depth):
    ram = TieredTable(MemoryStore(R, first=LAYOUT), LAYOUT)
    seen = train(ram, batches())
    table = TieredTable(store_of(rows), LAYOUT)
    with Prefetcher(batches(), wants(table), depth) as coming:
        assert all(torch.equal(a, b) for a, b in zip(train(table, coming), seen, strict=True))
    assert np.array_equal(table.store.peek(np.arange(R)), ram.store.all_rows)
    assert {name for name, _ in table.store.slow.readers} >= {"pslab-prefetch"}
    assert table.store.stats.hits + table.store.stats.misses == sum(len(np.unique(ids)) for ids in batches())
    assert not table.store._held
    assert not table.store.cache._pins.any()


def test_rows_are_read_while_the_program_computes():
    """The program holds batch 0; batch 1 is read before it asks for it, and its own lookup then reads nothing."""
    table = TieredTable(store_of(20), LAYOUT)
    slow = table.store.slow
    with Prefetcher([np.array([1, 2]), np.array([7, 8])], wants(table)) as coming:
        next(coming)
        slow.hold_up = None
        with coming._lock:
            assert coming._lock.wait_for(lambda: len(coming._ready) == 1, LIMIT_S)
        assert slow.readers == [("pslab-prefetch", [1, 2]), ("pslab-prefetch", [7, 8])]
        table.lookup(next(coming))
        assert len(slow.readers) == 2


def test_depth_limits_how_far_the_thread_is_ahead():
    asked, table = [], TieredTable(store_of(100), LAYOUT)

    def source():
        for i in range(9):
            asked.append(i)
            yield np.array([i])

    with Prefetcher(source(), wants(table), depth=3) as coming:
        with coming._lock:
            assert coming._lock.wait_for(lambda: len(coming._ready) == 3, LIMIT_S)
        assert max(asked) <= 3
        assert [int(ids[0]) for ids in coming] == list(range(9))


def test_rows_of_a_coming_batch_do_not_leave():
    table = TieredTable(store_of(6), LAYOUT)
    with Prefetcher([np.array([1, 2]), np.array([3, 4])], wants(table)) as coming:
        next(coming)
        with coming._lock:
            assert coming._lock.wait_for(lambda: coming._ready, LIMIT_S)
        for id in range(10, 40):
            table.lookup([id])                              # two slots are left for these
        assert np.isin([1, 2, 3, 4], table.store.cache.ids()).all()
        with pytest.raises(ValueError, match="beside 4 pinned rows does not fit"):
            table.lookup([10, 11, 12])
        next(coming)                                        # 1 and 2 may leave now
        table.lookup([10, 11, 12])


class Careless(TieredStore):
    """The planted fault: a row that was written while it was on its way is overwritten by what was read before."""

    def fetch(self, held: Held):
        rows = self.slow.read(held.ids[held.missing])
        with self._lock:
            self.fast.write(held.slots[held.missing], rows)
            self._filled[held.slots[held.missing]] = True
            self._coming[held.slots[held.missing]] = False
            self._news.notify_all()


class Late(TieredStore):
    """The planted fault: rows are read first, and get their slots afterwards."""

    def hold(self, ids, give_up=None):
        early = self.slow.read(ids)
        held = super().hold(ids, give_up)
        self.early = early
        return held

    def fetch(self, held):
        with self._lock:
            self.fast.write(held.slots, self.early)
            self._filled[held.slots] = True
            self._coming[held.slots] = False
            self._news.notify_all()


@pytest.mark.parametrize(("kind", "right"), [(TieredStore, True), (Careless, False)])
def test_a_row_written_while_it_is_on_its_way_stays_written(kind, right):
    store = store_of(8, kind=kind)
    store.slow.hold_up = [5]
    with Prefetcher([np.array([5, 6])], lambda ids: [(store, ids)]) as coming:
        assert store.slow.came.wait(LIMIT_S)                # the thread has read the old row 5, and is held up
        new = np.full((1, LAYOUT.width), 9, np.float32)
        store.write([5], new)
        store.slow.go.set()
        next(coming)
        assert np.array_equal(store.read([5]), new) == right
        assert np.array_equal(store.read([6]), LAYOUT.rows([6]))


@pytest.mark.parametrize(("kind", "right"), [(TieredStore, True), (Late, False)])
def test_a_row_updated_before_its_next_batch_is_not_stale(kind, right):
    """Batch 0 updates row 5 after the thread began with batch 1, which needs row 5 too."""
    store = store_of(8, kind=kind)
    table = TieredTable(store, LAYOUT)
    with Prefetcher([np.array([5]), np.array([5, 6])], wants(table)) as coming:
        ids = next(coming)
        with coming._lock:
            assert coming._lock.wait_for(lambda: coming._ready, LIMIT_S)
        table.update(ids, torch.ones(1, DIM))
        expected = table.values([5]).copy()
        store.fetch(coming._ready[0][1][0][1])              # as if the thread came to it only now
        next(coming)
        assert np.array_equal(table.lookup([5, 6])[:1].numpy(), expected) == right


class Announced(TieredStore):
    """Tells when somebody is about to wait for rows on their way."""

    waits = threading.Event()

    def _wait_for_held(self, ids, slots, empty):
        self.waits.set()
        return super()._wait_for_held(ids, slots, empty)


def test_a_lookup_waits_for_rows_on_their_way_and_its_own_stay():
    store = store_of(4, kind=Announced)
    store.slow.hold_up = [5]
    with Prefetcher([np.array([5, 6]), np.array([1, 2])], lambda ids: [(store, ids)]) as coming:
        assert store.slow.came.wait(LIMIT_S)
        got = {}
        reader = threading.Thread(target=lambda: got.update(rows=store.read([5, 7])))
        reader.start()
        assert store.waits.wait(LIMIT_S)
        with store._lock:                                   # it waits, and so gave the lock away
            assert [held.ids.tolist() for held in store._held] == [[5, 6], [5, 7]]
        store.slow.go.set()
        reader.join(LIMIT_S)
        assert np.array_equal(got["rows"], LAYOUT.rows([5, 7]))
        assert [ids.tolist() for ids in coming] == [[5, 6], [1, 2]]
    assert not store._held


@pytest.mark.parametrize("where", ["batches", "wants", "reading", "bad id", "too large", "no tier"])
def test_what_goes_wrong_in_the_thread_is_raised_at_the_next_call(where):
    table = TieredTable(store_of(8), LAYOUT)

    def source():
        yield np.array([1])
        if where == "batches":
            raise RuntimeError("no more clicks")
        table.store.slow.error = OSError(5, "the disk broke") if where == "reading" else None
        yield {"bad id": np.array([R]), "too large": np.arange(20)}.get(where, np.array([2]))

    def wanted(ids):
        if where == "wants" and ids[0] == 2:
            raise KeyError("item")
        return [(table.store.slow if where == "no tier" and ids[0] == 2 else table.store, ids)]

    kind, text = {"batches": (RuntimeError, "no more clicks"), "wants": (KeyError, "item"),
                  "reading": (OSError, "the disk broke"), "bad id": (ValueError, f"id {R} is out of range"),
                  "too large": (ValueError, "a batch of 20 distinct rows, but budget_bytes="),
                  "no tier": (ValueError, "Slow: rows can be prefetched into a TieredStore")}[where]
    coming = Prefetcher(source(), wanted)
    with pytest.raises(kind, match=text):
        for _ in coming:
            pass
    with pytest.raises(StopIteration):
        next(coming)
    table.store.slow.error = None
    assert not table.store._held
    assert np.array_equal(table.store.read([1, 2]), LAYOUT.rows([1, 2]))    # the store is as good as before


def test_a_run_that_ends_early_leaves_nothing_behind():
    table = TieredTable(store_of(60), LAYOUT)
    with Prefetcher(batches(), wants(table)) as coming:
        next(coming)
    assert not table.store._held
    Prefetcher(iter(()), wants(table)).close()
    with pytest.raises(ValueError, match="depth=0"):
        Prefetcher([], wants(table), depth=0)


def test_remote_rows_are_not_prefetched():
    def job(comm):
        if comm.rank == 1:
            return serve_rows(comm, MemoryStore(R, first=LAYOUT), [0])
        with store_of(20, RemoteStore(comm, owner=1)) as store:
            with pytest.raises(ValueError, match="two threads may use at once"):
                next(Prefetcher([[1]], lambda ids: [(store, ids)]))

    SimWorld(2).run(job)
    assert Holding.hold is TieredStore.hold
