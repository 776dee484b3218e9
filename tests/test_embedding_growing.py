"""Growing tables against a model of dictionaries, on random streams; and each rule by itself."""

import io

import numpy as np
import pytest
import torch

from pslab.embedding import CountMin, ExactSights, GrowingBag, GrowingTable, stable_hash
from pslab.ps import FTRL, SGD, AdaGrad, Adam, Integers, RowWiseAdaGrad


class Naive:
    """What growing.py says, id by id."""

    def __init__(self, dim, capacity, admit_after, evict, ttl, learned, rule, init, sketch=None):
        self.dim, self.capacity, self.admit_after, self.evict, self.ttl = dim, capacity, admit_after, evict, ttl
        self.learned, self.rule, self.init, self.sketch = learned, rule, init, sketch
        self.rows, self.state, self.seen, self.last = {}, {}, {}, {}
        self.counters = {}                                  # id -> sights, or (row, place) -> counter
        self.step_number = self.updates = 0
        self.default, self.default_state = np.zeros((1, dim), np.float32), rule.new_state(1, dim)

    def drop(self, key):
        for of in (self.rows, self.state, self.seen, self.last):
            del of[key]

    def sight(self, key, count):
        if self.sketch is None:
            self.counters[key] = self.counters.get(key, 0) + count
            return
        for place in self.places(key):
            self.counters[place] = self.counters.get(place, 0) + count

    def sights(self, key):
        if self.sketch is None:
            return self.counters[key]
        return min(self.counters[place] for place in self.places(key))

    def places(self, key):
        width, depth, seed = self.sketch
        return [(row, int(stable_hash(np.array([key]), seed * 1000 + row)[0]) % width) for row in range(depth)]

    def lookup(self, ids):
        self.step_number += 1
        if self.ttl is not None:
            for key in [key for key in self.rows if self.step_number - self.last[key] > self.ttl]:
                self.drop(key)
        batch = {key: list(ids).count(key) for key in ids}
        new = [key for key in batch if key not in self.rows]
        for key, count in batch.items():
            if key in self.rows:
                self.seen[key] += count
                self.last[key] = self.step_number
            else:
                self.sight(key, count)
        ready = sorted((key for key in new if self.sights(key) >= self.admit_after),
                       key=lambda key: (-self.sights(key), key))
        victims = sorted((key for key in self.rows if key not in batch), key=lambda key: (
            (self.last[key], key) if self.evict == "recency" else (self.seen[key], self.last[key], key)))
        admitted = []
        for key in ready:
            if len(self.rows) + len(admitted) == self.capacity:
                if self.evict is None or not victims:
                    break
                self.drop(victims.pop(0))
            admitted.append(key)
        for key in admitted:
            self.rows[key] = self.init.rows(np.array([key]), self.dim, "")
            self.state[key] = self.rule.new_state(1, self.dim)
            self.seen[key], self.last[key] = self.sights(key), self.step_number
            if self.sketch is None:
                del self.counters[key]
        return self.read(ids)

    def read(self, ids):
        return np.concatenate([self.rows.get(key, self.default) for key in ids] or [np.zeros((0, self.dim))])

    def update(self, ids, grads):
        self.updates += 1
        lost = [grad for key, grad in zip(ids, grads) if key not in self.rows]
        for key in dict.fromkeys(key for key in ids if key in self.rows):
            total = sum(grad for other, grad in zip(ids, grads) if other == key)
            self.rule.step(self.rows[key], total[None].copy(), self.state[key], self.updates)
        if lost and self.learned:
            self.rule.step(self.default, sum(lost)[None].copy(), self.default_state, self.updates)


RULES = [SGD(0.5), AdaGrad(0.25), Adam(0.125), FTRL(0.5), RowWiseAdaGrad(0.25)]


@pytest.mark.parametrize("seed", range(24))
def test_random_streams_against_the_model(seed):
    rng = np.random.default_rng(seed)
    options = {"capacity": [None, 1, 4, 9][rng.integers(4)], "admit_after": int(rng.integers(1, 4)),
               "evict": ["recency", "frequency", None][seed % 3], "ttl": [None, 1, 3][rng.integers(3)],
               "learned": bool(rng.integers(2))}
    rule, init = RULES[seed % len(RULES)], Integers(-8, 8, seed=seed)
    sketch = (7, 2, seed) if seed % 4 == 3 else None
    print(f"seed={seed} {options} {rule} sketch={sketch}")          # shown where it fails
    naive = Naive(3, options["capacity"], options["admit_after"], options["evict"], options["ttl"],
                  options["learned"], rule, init, sketch)

    def new_table():
        return GrowingTable(3, options["capacity"], admit_after=options["admit_after"], evict=options["evict"],
                            ttl_steps=options["ttl"], default="learned" if options["learned"] else "zeros", rule=rule,
                            init=init, sights=CountMin(*sketch) if sketch else None)

    table = new_table()
    for step in range(40):
        ids = np.minimum(rng.zipf(1.4, rng.integers(0, 8)), 20) * np.where(rng.random() < 0.2, -1, 10**12)
        np.testing.assert_array_equal(table.lookup(ids), naive.lookup(ids.tolist()), err_msg=f"step {step}")
        assert table.ids.tolist() == sorted(naive.rows), f"step {step}"
        grads = rng.integers(-3, 4, (len(ids), 3)).astype(np.float32)
        table.update(ids, grads)
        naive.update(ids.tolist(), grads)
        if step == 20:                                              # and on, from what was exported
            other = new_table()
            other.load_state_dict(table.state_dict())
            table = other
    everybody = np.unique([*naive.rows, 10**12, -1, 5])
    np.testing.assert_allclose(table.read(everybody), naive.read(everybody.tolist()), rtol=1e-6)
    state = table.state_dict()
    assert state["counts"].tolist() == [naive.seen[key] for key in sorted(naive.rows)]
    assert state["last_seen"].tolist() == [naive.last[key] for key in sorted(naive.rows)]
    for key, own in zip(state["ids"].tolist(), state["state"].transpose(1, 0, 2)):
        np.testing.assert_allclose(own, naive.state[key][:, 0], rtol=1e-6)
    stats = table.stats
    assert len(table) == stats.admitted - stats.evicted - stats.expired
    assert (stats.steps, stats.updates) == (40, 40)


def test_an_id_gets_a_row_at_its_nth_sight():
    table = GrowingTable(2, admit_after=3, init=Integers(1, 9))
    assert not table.lookup([7, 7]).any()
    assert 7 not in table
    table.read([7])                                         # reading is no sight
    assert table.lookup([8, 7])[1].all()
    assert 7 in table
    assert len(table) == 1
    assert table.stats.default_reads == 2                   # 7 in the first step, 8 in the second
    assert table.lookup([9], counts=[3]).all()


def test_recency_frequency_and_nobody():
    kept = {}
    for evict in ("recency", "frequency", None):
        table = GrowingTable(2, 2, evict=evict)
        for batch in ([1, 1, 1], [2], [3]):
            table.lookup(batch)
        kept[evict] = table.ids.tolist()
        assert table.stats.evicted == (evict is not None)
        assert table.stats.refused == (evict is None)
    assert kept == {"recency": [2, 3], "frequency": [1, 3], None: [1, 2]}


def test_the_fewest_sights_go_before_those_longest_unseen():
    table = GrowingTable(2, 3, evict="frequency")
    for batch in ([1, 1], [2, 2], [3]):
        table.lookup(batch)
    table.lookup([4, 5])                                    # 3, seen once; then 1, as often seen as 2 and longer ago
    assert table.ids.tolist() == [2, 4, 5]


def test_a_batch_never_evicts_what_it_asks_for():
    table = GrowingTable(2, 3, init=Integers(1, 9))
    table.lookup([1, 2, 3])
    rows = table.lookup([1, 2, 3, 4, 5, 5])
    assert table.ids.tolist() == [1, 2, 3]
    assert rows[:3].all()
    assert not rows[3:].any()
    assert table.stats.refused == 2
    table.lookup([1, 6, 6, 4])                              # one goes each for 6 and 4: 2 and 3
    assert table.ids.tolist() == [1, 4, 6]


def test_time_to_live():
    table = GrowingTable(2, ttl_steps=2, init=Integers(1, 9))
    table.lookup([1, 2])
    table.update([1], [[1, 1]])
    for _ in range(2):
        table.lookup([2])
        assert 1 in table                                   # unseen for 1, then 2 steps
    table.lookup([1, 2])                                    # the third: gone, and here again as it first was
    assert table.stats.expired == 1
    assert table.read([1]).tolist() == Integers(1, 9).rows([1], 2).tolist()


def test_a_place_that_is_used_again_begins_anew():
    table = GrowingTable(2, 1, rule=AdaGrad(1.0), init=Integers(1, 9))
    table.lookup([1])
    table.update([1], [[3, 4]])
    assert table.state_dict()["state"].tolist() == [[[9, 16]]]
    table.lookup([2])
    assert table.state_dict()["state"].tolist() == [[[0, 0]]]
    assert table.read([2]).tolist() == Integers(1, 9).rows([2], 2).tolist()
    table.lookup([1])
    assert table.read([1]).tolist() == Integers(1, 9).rows([1], 2).tolist()


@pytest.mark.parametrize("default", ["zeros", "learned"])
def test_the_default_row(default):
    table = GrowingTable(2, admit_after=2, default=default, rule=SGD(1.0))
    table.lookup([1, 2])
    table.update([1, 2, 2], [[1, 2], [10, 20], [100, 200]])
    expected = [-111, -222] if default == "learned" else [0, 0]
    assert table.read([1, 99]).tolist() == [expected, expected]
    assert table.stats.dropped == (0 if default == "learned" else 2)
    assert table.lookup([1]).tolist() != [expected]                     # two sights: its own row


def test_the_sketch_keeps_its_bound():
    rng = np.random.default_rng(0)
    for width, depth in ((50, 3), (200, 4)):
        sketch, exact = CountMin(width, depth, seed=1), ExactSights()
        for _ in range(30):
            ids, counts = np.unique(np.minimum(rng.zipf(1.2, 100), 10**6), return_counts=True)
            sketch.add(ids, counts)
            exact.add(ids, counts)
        state = exact.state_dict()
        over = sketch.add(state["ids"], np.zeros(len(state["ids"]), np.int64)) - state["counts"]
        excess, probability = sketch.bound()
        assert excess == pytest.approx(np.e / width * 3000)
        assert probability == pytest.approx(np.exp(-depth))
        assert over.min() >= 0
        assert over.max() > 0                                           # else nothing was tested
        assert (over > excess).mean() <= probability
        assert sketch.nbytes == 8 * width * depth


def test_each_row_of_a_sketch_has_a_hash_of_its_own():
    ids = np.arange(300)
    over = [CountMin(100, depth, seed=2).add(ids, np.ones(300, np.int64)).sum() - 300 for depth in (1, 2, 4)]
    assert over[0] > 1.5 * over[1] > 0
    assert over[1] > 1.3 * over[2]


def test_a_sketch_of_one_counter_admits_everybody_together():
    table = GrowingTable(2, admit_after=3, sights=CountMin(1, 1))
    table.lookup([1])
    table.lookup([2])
    table.lookup([3])
    assert table.ids.tolist() == [3]


def test_bytes_and_room():
    table = GrowingTable(4, 5000, rule=AdaGrad(0.1))
    assert table.bytes() == 4 * 4 * (1024 + 1)
    table.lookup(np.arange(1025))
    assert (table.bytes(), table.state_bytes()) == (4 * 4 * (2048 + 1), 4 * 4 * (2048 + 1))
    table.lookup(np.arange(4000, 8000))
    assert len(table) == 5000
    assert table.bytes() == 4 * 4 * (5000 + 1)
    assert table.index_bytes() == 5000 * (8 + 1 + 8 + 8)
    np.testing.assert_array_equal(table.read(np.arange(4000, 8000)), table.init.rows(np.arange(4000, 8000), 4))


def test_bags():
    table = GrowingTable(2, admit_after=2, rule=SGD(1.0), default="learned", init=Integers(1, 9))
    bag = GrowingBag(table, "mean")
    ids, offsets = torch.tensor([5, 5, 7, 5]), torch.tensor([0, 3, 3])
    pooled = bag(ids, offsets)
    first = torch.from_numpy(Integers(1, 9).rows([5], 2)[0])
    torch.testing.assert_close(pooled, torch.stack([2 * first / 3, torch.zeros(2), first]))
    pooled.sum().backward()
    assert bag.step() == 2
    torch.testing.assert_close(torch.from_numpy(table.read([5])[0]), first - (2 / 3 + 1))
    torch.testing.assert_close(torch.from_numpy(table.read([7])[0]), torch.full((2,), -1 / 3))
    bag.eval()(ids, offsets)
    assert table.stats.steps == 1
    file = io.BytesIO()
    torch.save(bag.state_dict(), file)
    file.seek(0)
    other = GrowingBag(GrowingTable(2, admit_after=2, rule=SGD(1.0), default="learned", init=Integers(1, 9)), "mean")
    other.load_state_dict(torch.load(file))
    assert torch.equal(other.eval()(ids, offsets), bag(ids, offsets))
    assert other.bytes() == table.bytes()


@pytest.mark.parametrize(("call", "says"), [
    (lambda: GrowingTable(0), "dim=0"),
    (lambda: GrowingTable(2, 0), "capacity=0"),
    (lambda: GrowingTable(2, admit_after=0), "admit_after=0"),
    (lambda: GrowingTable(2, ttl_steps=0), "ttl_steps=0"),
    (lambda: GrowingTable(2, evict="lru"), "evict='lru'; allowed: 'recency', 'frequency', None"),
    (lambda: GrowingTable(2, default="ones"), "default='ones'; allowed: 'zeros', 'learned'"),
    (lambda: GrowingTable(2, rule="sgd"), "rule='sgd'"),
    (lambda: GrowingTable(2, init=0.1), "init=0.1"),
    (lambda: GrowingTable(2, sights=5), "sights=5"),
    (lambda: CountMin(0), "width=0"),
    (lambda: CountMin(5, 0), "depth=0"),
    (lambda: GrowingTable(2).lookup([0.5]), "type torch.float32"),
    (lambda: GrowingTable(2).lookup([[1, 2]]), r"\(n,\) is needed"),
    (lambda: GrowingTable(2).lookup([1, 1], counts=[1, 1]), "an id twice"),
    (lambda: GrowingTable(2).lookup([1, 2], counts=[1, 0]), "a whole number from 1"),
    (lambda: GrowingTable(2).lookup([1, 2], counts=[1]), "a whole number from 1"),
    (lambda: GrowingTable(2).update([1], [[1, 2, 3]]), r"\(n,\) and \(n, 2\)"),
    (lambda: GrowingTable(2).update([8, 9], [[1, 2], [np.inf, 0]]), "gradient of id 9"),
    (lambda: GrowingBag(5), "table=5"),
])
def test_what_is_refused(call, says):
    with pytest.raises(ValueError, match=says):
        call()


def test_states_that_do_not_fit():
    table = GrowingTable(2, rule=AdaGrad(0.1))
    table.lookup([1, 2, 3])
    state = table.state_dict()
    for other, says in ((GrowingTable(3, rule=AdaGrad(0.1)), "dim=2; this table has 3"),
                        (GrowingTable(2), "state_names="),
                        (GrowingTable(2, rule=AdaGrad(0.1), default="learned"), "default='zeros'"),
                        (GrowingTable(2, 2, rule=AdaGrad(0.1)), "3 rows; this table has capacity=2"),
                        (GrowingTable(2, rule=AdaGrad(0.1), sights=CountMin(5)), "kind 'exact'")):
        with pytest.raises(ValueError, match=says):
            other.load_state_dict(state)
        assert len(other) == 0
    sketched = GrowingTable(2, sights=CountMin(5, 2))
    with pytest.raises(ValueError, match="depth, width, seed"):
        GrowingTable(2, sights=CountMin(6, 2)).load_state_dict(sketched.state_dict())
