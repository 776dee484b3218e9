"""Tiers against one array: random reads, writes, flushes, kills and openings, any policy and budget."""

import numpy as np
import pytest

from pslab.embedding import (
    CLOCK,
    FIFO,
    LFU,
    LRU,
    DeviceStore,
    DiskStore,
    LookAhead,
    MemoryStore,
    StaticTopK,
    TieredStore,
)

POLICIES = ["lru", LRU, FIFO, LFU, CLOCK, LookAhead, "fixed"]
OPERATIONS = ["read", "write", "change", "tensor", "peek", "flush", "reopen", "kill", "steps"]
CHANCES = [0.22, 0.25, 0.15, 0.08, 0.08, 0.07, 0.05, 0.05, 0.05]


class Model:
    """All rows in an array; of each row the values that a kill may leave: that of the last flush and all since."""

    def __init__(self, num_rows, width):
        self.rows, self.steps = np.zeros((num_rows, width), np.float32), 0
        self.flushed()

    def flushed(self):
        self.may_be = [[row.copy()] for row in self.rows]
        self.steps_may_be = [self.steps]

    def put(self, ids, rows):
        self.rows[ids] = rows
        for id in ids.tolist():
            self.may_be[id].append(self.rows[id].copy())

    def killed(self, rows, steps):
        assert all(any(np.array_equal(row, old) for old in may_be) for row, may_be in zip(rows, self.may_be))
        assert steps in self.steps_may_be
        self.rows, self.steps = rows.copy(), steps
        self.flushed()


def play(seed, path, on_disk):
    draw = np.random.default_rng(seed)
    num_rows, width = int(draw.integers(1, 60)), int(draw.integers(1, 8))
    memory, model = MemoryStore(num_rows, width), Model(num_rows, width)

    def opened():
        slow = DiskStore(path, num_rows, width, write_back_bytes=int(draw.integers(1, 2000)),
                         log_bytes=int(draw.integers(1, 5000))) if on_disk else memory
        policy = POLICIES[draw.integers(len(POLICIES))]
        if policy == "fixed":
            favourites = draw.permutation(num_rows)
            policy = lambda capacity: StaticTopK(favourites[:capacity])         # noqa: E731
        fast = [None, DeviceStore][draw.integers(2)]
        roomy = TieredStore(slow, 10**6, policy, fast)
        store = TieredStore(slow, roomy.bytes_for(int(draw.integers(1, num_rows + 1))), policy, fast)
        if draw.integers(3):
            return store, store.capacity
        above = TieredStore(store, TieredStore(store, 10**6).bytes_for(max(1, store.capacity // 2)))
        return above, min(above.capacity, store.capacity)

    store, capacity = opened()
    ids = np.empty(0, np.int64)
    for _ in range(40):
        if draw.integers(3) or len(ids) > capacity:                             # else the same ones again
            ids = draw.permutation(num_rows)[:draw.integers(0, capacity + 1)]
        operation = draw.choice(OPERATIONS, p=CHANCES)
        if operation in ("read", "tensor"):
            assert np.array_equal(getattr(store, operation)(ids), model.rows[ids])
        elif operation == "write":
            rows = draw.standard_normal((len(ids), width)).astype(np.float32)
            store.write(ids, rows)
            model.put(ids, rows)
        elif operation == "change":
            store.change(ids, lambda rows: np.add(2 * rows, 1, out=rows))
            model.put(ids, 2 * model.rows[ids] + 1)
        elif operation == "steps":
            store.steps += 1
            model.steps += 1
            model.steps_may_be.append(model.steps)
        elif operation == "flush":
            store.flush()
            model.flushed()
        elif operation == "reopen" and on_disk:
            store.close()
            model.flushed()
            store, capacity = opened()
            assert store.steps == model.steps
        elif operation == "kill" and on_disk:
            store.abandon()
            store, capacity = opened()
            model.killed(store.peek(np.arange(num_rows)), store.steps)
        assert np.array_equal(store.peek(np.arange(num_rows)), model.rows)
    store.flush()
    assert np.array_equal((store if on_disk else memory).read(np.arange(num_rows)[:capacity]), model.rows[:capacity])
    store.abandon()


@pytest.mark.parametrize("on_disk", [False, True])
def test_random_operations_are_those_of_an_array(on_disk, tmp_path):
    for seed in range(16):
        play(seed, tmp_path / f"{seed}", on_disk)


@pytest.mark.long
def test_more_random_operations(tmp_path):
    for seed in range(1000, 4000):
        play(seed, tmp_path / f"{seed}", on_disk=bool(seed % 2))


@pytest.mark.parametrize("rows_too", [False, True])
def test_a_flush_of_steps_alone_outlives_a_kill(rows_too, tmp_path):
    store = DiskStore(tmp_path / "t", 4, 2)
    if rows_too:
        store.write([1], np.ones((1, 2), np.float32))
        store.flush()
    store.steps = 7
    store.flush()
    store.abandon()
    with DiskStore(tmp_path / "t", 4, 2) as store:
        assert (store.steps, store.recovered) == (7, int(rows_too))
        assert store.read([1]).tolist() == [[1, 1] if rows_too else [0, 0]]


def test_an_array_of_ids_may_be_used_again_for_others():
    """The store remembers which rows were read last, and not the array that named them."""
    below = MemoryStore(9, 1)
    store = TieredStore(below, TieredStore(below, 10**6).bytes_for(4))
    ids = np.array([1, 2])
    store.read(ids)
    ids += 2
    store.write(ids, np.array([[3], [4]], np.float32))
    assert store.peek(np.arange(6)).tolist() == [[0], [0], [0], [3], [4], [0]]
    held = store.hold(ids)
    store.fetch(held)
    ids -= 2
    store.write(ids, np.array([[1], [2]], np.float32))
    store.drop(held)
    assert store.peek(np.arange(6)).tolist() == [[0], [1], [2], [3], [4], [0]]
    assert not store.cache._pins.any()
