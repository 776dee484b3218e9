"""Every store keeps rows; a tiered table is the table in RAM bit for bit, on its own, on servers and in a module."""

import numpy as np
import pytest
import torch
from tiers_faults import System

from pslab.comm import SimWorld
from pslab.data import KeyedJaggedTensor
from pslab.embedding import EmbeddingBagCollection, EmbeddingBagConfig
from pslab.embedding.caches import CLOCK, FIFO, LFU, LRU, StaticTopK
from pslab.embedding.tiers import (
    DeviceStore,
    DiskStore,
    MemoryStore,
    RemoteStore,
    RowLayout,
    ServerStore,
    Storage,
    TieredEmbeddingBagCollection,
    TieredStore,
    TieredTable,
    serve_rows,
)
from pslab.embedding.tiers.rawfile import RawFile
from pslab.embedding.tiers.slots import SlotLRU
from pslab.ps import (
    ASP,
    BSP,
    FTRL,
    SGD,
    AdaGrad,
    Adam,
    HashPartition,
    KVServer,
    KVWorker,
    RowWiseAdaGrad,
    TableConfig,
    Uniform,
    serve,
)


@pytest.fixture(autouse=True)
def _no_fsync(monkeypatch):
    """Nothing here has to outlive a power cut, and syncing takes as long as others keep the disk busy."""
    monkeypatch.setattr(RawFile, "system", System())


R, DIM = 900, 5
LAYOUT = RowLayout(DIM, AdaGrad(0.1, initial_accumulator=0.5), Uniform(0.1, seed=3), "t")
WIDTH = LAYOUT.width


def tiered(slow, rows):
    """Room for so many rows."""
    like = MemoryStore(slow.num_rows, slow.width)
    like.buffer_bytes = slow.buffer_bytes
    return TieredStore(slow, TieredStore(like, 1 << 30).bytes_for(rows))


def disk(tmp_path, name="rows", **options):
    return DiskStore(tmp_path / name, R, first=LAYOUT, **{"write_back_bytes": 4000, "log_bytes": 40_000} | options)


STORES = {
    "memory": lambda path: MemoryStore(R, first=LAYOUT),
    "device": lambda path: DeviceStore(R, first=LAYOUT),
    "disk": disk,
    "tiered": lambda path: tiered(disk(path), 100),
    "device over RAM over disk": lambda path: TieredStore(tiered(disk(path), 200), 4 * WIDTH * 90, fast=DeviceStore),
    "RAM over device": lambda path: tiered(DeviceStore(R, first=LAYOUT), 100),
}


@pytest.mark.parametrize("kind", STORES)
def test_a_store_is_an_array_of_rows(kind, tmp_path):
    draw, model = np.random.default_rng(7), LAYOUT.rows(range(R))
    with STORES[kind](tmp_path) as store:
        assert (store.num_rows, store.width) == (R, WIDTH)
        for step in range(120):
            ids = draw.permutation(R)[:draw.integers(0, 80)]
            if step % 3 == 2:
                ids = np.arange(step, step + 70)                        # neighbours
            rows = np.arange(len(ids) * WIDTH, dtype=np.float32).reshape(-1, WIDTH) + 1000 * step
            act = draw.integers(0, 5)
            if act == 0:
                store.write(torch.from_numpy(ids), torch.from_numpy(rows))
                model[ids] = rows
            elif act == 1:
                out = np.full((len(ids), WIDTH), -1, np.float32)
                assert store.read(ids, out=out) is out
                assert np.array_equal(out, model[ids])
            elif act == 2:
                assert np.array_equal(store.tensor(ids).numpy(), model[ids])
            elif act == 3:
                store.change(ids, lambda got: np.add(got, 1, out=got))
                model[ids] += 1
            else:
                assert np.array_equal(store.peek(ids), model[ids])
            if step % 20 == 19:
                store.flush()
        assert np.array_equal(store.peek(np.arange(R)), model)
        store.steps = 17
    if "disk" in kind or kind == "tiered":
        with DiskStore(tmp_path / "rows", first=LAYOUT) as again:
            assert np.array_equal(again.read(np.arange(R)), model)
            assert (again.steps, again.recovered) == (17, 0)
    with pytest.raises(ValueError, match="closed"):
        store.read([1])


@pytest.mark.parametrize("kind", STORES)
@pytest.mark.parametrize(("ids", "text"), [([3, R], f"id {R} is out of range; its rows are 0..{R - 1}"),
                                           ([-1, 3], "id -1 is out of range"), ([5, 2, 5], "id 5 is there twice"),
                                           ([0.5], "whole numbers"), ([[1]], "one dimension")])
def test_bad_ids_are_refused_and_change_nothing(kind, ids, text, tmp_path):
    with STORES[kind](tmp_path) as store:
        for call in (store.read, store.tensor, store.peek, lambda ids: store.change(ids, lambda rows: rows.fill(9)),
                     lambda ids: store.write(ids, np.full((len(ids), WIDTH), 9, np.float32))):
            with pytest.raises(ValueError, match=text):
                call(ids)
        with pytest.raises(ValueError, match=r"rows=float64\[1, 10\]; a float32 array \[1, 10\] is needed"):
            store.write([1], np.zeros((1, WIDTH)))
        with pytest.raises(ValueError, match="out="):
            store.read([1], out=np.zeros((2, WIDTH), np.float32))
        assert np.array_equal(store.peek(np.arange(R)), LAYOUT.rows(range(R)))


RULES = {"AdaGrad": AdaGrad(0.1, initial_accumulator=0.5), "row-wise": RowWiseAdaGrad(0.1), "SGD": SGD(0.1),
         "Adam": Adam(0.1), "FTRL": FTRL(0.5)}


def train(table, steps=40, seed=0, lookups=150):
    """Zipf ids, gradients that depend on the rows: what is looked up wrong shows."""
    draw, seen = np.random.default_rng(seed), []
    for _ in range(steps):
        ids = draw.zipf(1.3, lookups) * 31 % R
        rows = table.lookup(ids)
        seen.append(rows.clone())
        table.update(ids, rows + torch.from_numpy(draw.standard_normal((lookups, DIM), dtype=np.float32)))
    return seen


@pytest.mark.parametrize("rule", RULES)
def test_training_in_tiers_is_training_in_ram_bit_for_bit(rule, tmp_path):
    layout = RowLayout(DIM, RULES[rule], Uniform(0.1, seed=3), "t")
    ram = TieredTable(MemoryStore(R, first=layout), layout)
    seen = train(ram)
    slow = DiskStore(tmp_path / "t", R, first=layout, write_back_bytes=3000)
    with TieredTable(tiered(slow, 130), layout) as out:
        assert all(torch.equal(a, b) for a, b in zip(train(out), seen, strict=True))
        assert out.store.stats.evictions > 500
        assert out.store.steps == 40
    with DiskStore(tmp_path / "t", first=layout) as back:
        assert np.array_equal(back.read(np.arange(R)), ram.store.all_rows)


def test_the_rule_is_that_of_the_servers():
    """One worker, one server: the same rows as a tiered table, though the server sums equal ids in its own way."""
    rule, draw = AdaGrad(0.1), np.random.default_rng(1)
    layout = RowLayout(DIM, rule, Uniform(0.1, seed=3), "t")
    table = TieredTable(tiered(MemoryStore(R, first=layout), 80), layout)
    batches = [(draw.integers(0, 60, 90), draw.integers(-3, 4, (90, DIM)).astype(np.float32)) for _ in range(5)]

    def job(comm):
        tables = [TableConfig("t", DIM, R, rule, init=Uniform(0.1, seed=3))]
        if comm.rank:
            server = KVServer(tables, 0, 1, [0])
            serve(comm, server)
            return server.rows("t").copy()
        with KVWorker(comm, [1], tables) as kv:
            for ids, grads in batches:
                kv.push(ids, grads, "t")
                kv.clock()

    for ids, grads in batches:
        table.update(ids, grads)
    assert np.array_equal(table.values(np.arange(R)), SimWorld(2).run(job).results[1])
    assert table.state([int(batches[0][0][0])]).sum() > 0


@pytest.mark.parametrize("policy", [LRU, LFU, FIFO, CLOCK, lambda capacity: StaticTopK(range(capacity), capacity)],
                         ids=["LRU", "LFU", "FIFO", "CLOCK", "StaticTopK"])
def test_any_policy_keeps_other_rows_and_gives_the_same_values(policy, tmp_path):
    ram = TieredTable(MemoryStore(R, first=LAYOUT), LAYOUT)
    seen = train(ram, 15)
    store = TieredStore(disk(tmp_path), 80_000, policy)
    assert isinstance(store.cache, policy) if isinstance(policy, type) else isinstance(store.cache, StaticTopK)
    with TieredTable(store, LAYOUT) as table:
        assert all(torch.equal(a, b) for a, b in zip(train(table, 15), seen, strict=True))
        assert np.array_equal(table.store.peek(np.arange(R)), ram.store.all_rows)
        if policy is LRU:               # one use of a row a step: lookup counts, update does not
            draw, oracle = np.random.default_rng(0), LRU(store.capacity)
            for _ in range(15):
                oracle.batch(np.unique(draw.zipf(1.3, 150) * 31 % R))
                draw.standard_normal((150, DIM), dtype=np.float32)
            assert (store.stats.hits, store.stats.misses) == (oracle.stats.hits, oracle.stats.misses)


def test_slots_go_as_those_of_the_cache_lru():
    draw = np.random.default_rng(2)
    for _ in range(40):
        capacity, held = int(draw.integers(1, 60)), []
        ours, theirs = SlotLRU(capacity, 200, 8), LRU(capacity, 8)
        for _ in range(50):
            ids, hold = draw.permutation(200)[:draw.integers(0, capacity + 1)], draw.random() < 0.25
            if len(np.union1d(ids, theirs.pinned)) > capacity:
                for cache in (ours, theirs):
                    with pytest.raises(ValueError, match=f"beside {len(np.setdiff1d(theirs.pinned, ids))} pinned rows"):
                        cache.batch(ids, hold)
                ids = held.pop(0)
                ours.unpin(ids)
                theirs.unpin(ids)
                continue
            held += [ids] if hold else []
            expected, got = theirs.batch(ids, hold), ours.batch(ids, hold)
            assert all(np.array_equal(getattr(got, name), getattr(expected, name)) for name in vars(expected))
        assert ours.stats == theirs.stats
        assert np.array_equal(ours.ids(), theirs.ids())


def test_only_rows_that_changed_go_down():
    slow, written = MemoryStore(R, first=LAYOUT), []
    store = tiered(slow, 50)
    slow._write = lambda ids, rows: written.extend(ids.tolist())
    for lo in range(0, 400, 50):
        store.read(np.arange(lo, lo + 50))
    assert written == []
    store.change([360, 352], lambda rows: rows.fill(1))
    store.flush()
    assert written == [352, 360]
    store.flush()
    assert written == [352, 360]


def test_remote_rows():
    def job(comm):
        if comm.rank == 1:
            store = MemoryStore(R, first=LAYOUT)
            serve_rows(comm, store, [0])
            return store.all_rows, store.steps
        remote = RemoteStore(comm, owner=1)
        with pytest.raises(ValueError, match="rank 1: .*closed|id 900 is out of range"):
            remote.read([R])
        with TieredTable(tiered(remote, 100), LAYOUT) as table:
            return train(table, 15)

    run = SimWorld(2).run(job)
    ram = TieredTable(MemoryStore(R, first=LAYOUT), LAYOUT)
    assert all(torch.equal(a, b) for a, b in zip(run.results[0], train(ram, 15), strict=True))
    assert np.array_equal(run.results[1][0], ram.store.all_rows)
    assert run.results[1][1] == 15


def test_rows_on_servers_as_a_slow_store():
    tables = [TableConfig("t", WIDTH, R, SGD(0.0), ASP())]

    def job(comm):
        if comm.rank:
            server = KVServer(tables, comm.rank - 1, 2, [0])
            serve(comm, server)
            return server.rows("t").copy()
        with KVWorker(comm, [1, 2], tables) as kv:
            store = ServerStore(kv, "t", R, WIDTH)
            store.write(np.arange(R), LAYOUT.rows(range(R)))
            with TieredTable(tiered(store, 100), LAYOUT) as table:
                train(table, 10)

    ram = TieredTable(MemoryStore(R, first=LAYOUT), LAYOUT)
    train(ram, 10)
    assert np.array_equal(np.concatenate(SimWorld(3).run(job).results[1:]), ram.store.all_rows)


@pytest.mark.parametrize("partition", [None, HashPartition(seed=1)], ids=["range", "hash"])
@pytest.mark.parametrize("consistency", [BSP(), ASP()], ids=["BSP", "ASP"])
def test_servers_keep_rows_in_tiers(partition, consistency, tmp_path):
    draw = np.random.default_rng(5)
    batches = [[(draw.zipf(1.3, 60) * 31 % R, draw.integers(-3, 4, (60, DIM)).astype(np.float32)) for _ in range(6)]
               for _ in range(2)]

    def job(comm, tables):
        if comm.rank < 2:
            with KVWorker(comm, [2, 3], tables) as kv:
                pulled = []
                for ids, grads in batches[comm.rank]:
                    pulled.append(kv.wait(kv.pull(ids, "t")).numpy().copy())
                    kv.push(ids, grads, "t")
                    kv.clock()
                return [*pulled, kv.wait(kv.pull(range(R), "t")).numpy().copy()]
        server = KVServer(tables, comm.rank - 2, 2, range(2))
        serve(comm, server)
        state = {name: tensor.clone() for name, tensor in server.state_dict().items()}
        server.flush()
        server.close()
        return state

    options = {} if partition is None else {"partition": partition}
    config = dict(rule=AdaGrad(0.1), consistency=consistency, init=Uniform(0.1, seed=3), **options)
    plain = SimWorld(4).run(job, [TableConfig("t", DIM, R, **config)]).results
    storage = Storage(tmp_path, 12_000)
    kept = SimWorld(4).run(job, [TableConfig("t", DIM, R, **config, storage=storage)]).results
    for a, b in zip(plain[:2], kept[:2]):
        assert all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))
    for a, b in zip(plain[2:], kept[2:]):
        assert a.keys() == b.keys()
        assert all(torch.equal(a[name], b[name]) for name in a)
    server = KVServer([TableConfig("t", DIM, R, **config, storage=storage)], 0, 2, range(2))     # it starts again
    assert torch.equal(server.state_dict()["t.rows"], kept[2]["t.rows"])
    assert server.state_dict()["t.t"] == kept[2]["t.t"]
    server.close()


def test_bags_in_tiers_train_as_bags_in_memory(tmp_path):
    tables = [EmbeddingBagConfig(300, 4, "user", ["user", "friend"]),
              EmbeddingBagConfig(200, 4, "item", pooling="mean"), EmbeddingBagConfig(90, 3, "job")]
    plain = EmbeddingBagCollection(tables, seed=4)
    optimizer = torch.optim.Adagrad(plain.parameters(), lr=0.1)
    draw = torch.Generator().manual_seed(0)

    def batch():
        lengths = torch.randint(0, 4, (4 * 7,), generator=draw)
        sizes = lengths.view(4, 7).sum(1).tolist()
        values = torch.cat([torch.randint(0, rows, (n,), generator=draw)
                            for rows, n in zip((300, 300, 200, 90), sizes)])
        return KeyedJaggedTensor(["user", "friend", "item", "job"], values, lengths)

    with TieredEmbeddingBagCollection(tables, AdaGrad(0.1), tmp_path, 18_000, seed=4) as bags:
        assert sum(store.capacity for store in bags.stores.values()) < 400
        for _ in range(12):
            features = batch()
            weights = torch.randn(7, 15, generator=draw)
            expected, got = plain(features), bags(features)
            assert torch.allclose(got.values, expected.values, atol=1e-6)
            optimizer.zero_grad()
            (expected.values * weights).sum().backward()
            (got.values * weights).sum().backward()
            optimizer.step()
        bags.flush()
        for table in tables:
            assert torch.allclose(bags.rows(table.name), plain.tables[table.name].weight, atol=1e-6)
        kept = {table.name: bags.rows(table.name) for table in tables}
    with TieredEmbeddingBagCollection(tables, AdaGrad(0.1), tmp_path, 18_000, seed=4) as again:
        assert all(torch.equal(again.rows(name), rows) for name, rows in kept.items())
        with pytest.raises(ValueError, match="there are user, item, job"):
            again.rows("film")
