"""Bags sharded over servers: equal to local ones, and no byte more than the distinct ids ask for."""

import numpy as np
import pytest
import torch

from pslab.comm import ProcessWorld, SimWorld
from pslab.data import KeyedJaggedTensor
from pslab.embedding import (
    EmbeddingBagCollection,
    EmbeddingBagConfig,
    ShardedEmbeddingBagCollection,
    table_configs,
)
from pslab.ps import SGD, Integers, KVServer, KVWorker, serve

INIT = Integers(-8, 9, seed=5)


def kjt(bags):
    values = [i for rows in bags.values() for row in rows for i in row]
    return KeyedJaggedTensor(list(bags), values, [len(row) for rows in bags.values() for row in rows])


def configs(pooling="sum", dims=(4, 4, 2)):
    return [EmbeddingBagConfig(rows, dim, name, pooling=pooling)
            for rows, dim, name in zip((7, 11, 5), dims, ("a", "b", "c"))]


BAGS = [  # by worker: duplicates in a bag and across bags, empty bags, one id; a feature without any id
    {"a": [[3, 3, 1], [], [0]], "b": [[10], [10], [2]], "c": [[], [], []]},
    {"a": [[3], [6], [6]], "b": [[], [2, 2, 9, 0], []], "c": [[4], [], [4, 0]]},
]


def program(comm, tables, bags, workers, steps=1, weights=None, kv_tables=None):
    """Workers look up, weight every output number differently, run backward, and pull everything at the end."""
    servers = range(workers, comm.world_size)
    kv_tables = kv_tables or table_configs(tables, SGD(1.0), init=INIT)
    if comm.rank >= workers:
        server = KVServer(kv_tables, comm.rank - workers, len(servers), range(workers))
        return serve(comm, server)
    with KVWorker(comm, servers, kv_tables) as kv:
        module = ShardedEmbeddingBagCollection(tables, kv)
        outs = []
        for _ in range(steps):
            out = module(kjt(bags[comm.rank]))
            (out.values * weights[comm.rank]).sum().backward()
            kv.clock()
            outs.append(out.values.detach())
        return outs, {table.name: module.rows(table.name) for table in tables}


def weights_of(tables, bags):
    """Element j of worker r weighs j·K + r - 9: different for every worker and place, whole numbers."""
    width = sum(table.embedding_dim for table in tables)
    rows = [len(next(iter(bag.values()))) for bag in bags]
    return [torch.arange(n * width).reshape(n, width).float() * len(bags) + r - 9 for r, n in enumerate(rows)]


def reference(tables, bags, weights, steps):
    """The same steps in this process by torch.optim.SGD."""
    module = EmbeddingBagCollection(tables, init=INIT)
    optimizer = torch.optim.SGD(module.parameters(), lr=1.0)
    outs = []
    for _ in range(steps):
        optimizer.zero_grad()
        pooled = [module(kjt(bag)).values for bag in bags]
        sum((values * weight).sum() for values, weight in zip(pooled, weights)).backward()
        optimizer.step()
        outs.append([values.detach() for values in pooled])
    return outs, {name: table.weight.detach() for name, table in module.tables.items()}


def agree(run, tables, bags, weights, steps, exact):
    outs, rows = reference(tables, bags, weights, steps)
    close = torch.equal if exact else lambda a, b: torch.testing.assert_close(a, b) or True
    for worker in range(len(bags)):
        got_outs, got_rows = run.results[worker]
        for step in range(steps):
            assert close(got_outs[step], outs[step][worker]), (worker, step)
        for table in tables:
            assert close(got_rows[table.name], rows[table.name]), (worker, table.name)


@pytest.mark.parametrize("servers", [1, 2, 3, 30])
@pytest.mark.parametrize("workers", [1, 2])
def test_equal_to_local_bags_bit_for_bit(workers, servers):
    tables, bags = configs(), BAGS[:workers]
    weights = weights_of(tables, bags)
    run = SimWorld(workers + servers).run(program, tables, bags, workers, 3, weights)
    agree(run, tables, bags, weights, 3, exact=True)


def test_mean_pooling():
    tables = configs("mean")
    weights = weights_of(tables, BAGS)
    agree(SimWorld(4).run(program, tables, BAGS, 2, 2, weights), tables, BAGS, weights, 2, exact=False)


def test_mixed_pooling_in_one_fused_table():
    tables = [EmbeddingBagConfig(7, 4, "a", pooling="mean"), EmbeddingBagConfig(11, 4, "b"),
              EmbeddingBagConfig(5, 4, "c", pooling="mean")]
    weights = weights_of(tables, BAGS)
    agree(SimWorld(3).run(program, tables, BAGS, 2, 2, weights), tables, BAGS, weights, 2, exact=False)


def test_in_processes():
    tables = configs()
    weights = weights_of(tables, BAGS)
    with ProcessWorld(4) as world:
        agree(world.run(program, tables, BAGS, 2, 2, weights), tables, BAGS, weights, 2, exact=True)


@pytest.mark.parametrize("bag", [
    {"a": [[2]], "b": [[2]], "c": [[2]]},                   # one id
    {"a": [[]], "b": [[]], "c": [[]]},                      # no id
    {"a": [], "b": [], "c": []},                            # no row
    {"a": [[5] * 40], "b": [[0] * 3], "c": [[4, 4]]},       # one id, many times
])
def test_small_inputs(bag):
    tables = configs()
    weights = weights_of(tables, [bag])
    agree(SimWorld(3).run(program, tables, [bag], 1, 2, weights), tables, [bag], weights, 2, exact=True)


@pytest.mark.parametrize("seed", range(6))
def test_random_bags_tables_and_worlds(seed):
    rng = np.random.default_rng(seed)
    tables, features = [], {}
    for i in range(rng.integers(1, 5)):
        names = [f"f{i}_{j}" for j in range(rng.integers(1, 3))]
        tables.append(EmbeddingBagConfig(int(rng.integers(1, 9)), int(rng.choice([1, 2, 3])), f"t{i}", names))
        features |= dict.fromkeys(names, tables[-1].num_embeddings)
    workers, servers = int(rng.integers(1, 4)), int(rng.integers(1, 5))
    bags = [{name: [rng.integers(0, rows, rng.integers(0, 4)).tolist() for _ in range(4)]
             for name, rows in features.items()} for _ in range(workers)]
    weights = [torch.from_numpy(rng.integers(-3, 4, (4, sum(t.embedding_dim * len(t.feature_names) for t in tables)))
                                .astype(np.float32)) for _ in range(workers)]
    agree(SimWorld(workers + servers).run(program, tables, bags, workers, 2, weights), tables, bags, weights, 2,
          exact=True)


def distinct_per_server(tables, bag, servers):
    """{fused table: number of distinct keys on each server}, from the ids alone."""
    counts = {}
    for joint in table_configs(tables, SGD(1.0)):
        partition = joint.partition.bind(joint.num_rows, servers)
        first, keys = 0, set()
        for table in tables:
            if table.embedding_dim == joint.dim:
                keys |= {first + i for row in bag[table.name] for i in row}
                first += table.num_embeddings
        owners = partition.owner(np.array(sorted(keys), np.int64))
        counts[joint.dim] = np.bincount(owners, minlength=servers)
    return counts


@pytest.mark.parametrize("servers", [1, 2, 3])
def test_only_distinct_ids_travel(servers):
    tables, workers, steps = configs(), 2, 3
    weights = weights_of(tables, BAGS)

    def training_only(comm):
        if comm.rank >= workers:
            return program(comm, tables, BAGS, workers)
        with KVWorker(comm, range(workers, comm.world_size), table_configs(tables, SGD(1.0), init=INIT)) as kv:
            module = ShardedEmbeddingBagCollection(tables, kv)
            for _ in range(steps):
                (module(kjt(BAGS[comm.rank])).values * weights[comm.rank]).sum().backward()
                kv.clock()
        return None

    ledger = SimWorld(workers + servers).run(training_only).ledger
    for worker in range(workers):
        counts = distinct_per_server(tables, BAGS[worker], servers)
        for server in range(servers):
            unique = sum(int(by_server[server]) for by_server in counts.values())
            vals = sum(4 * dim * int(by_server[server]) for dim, by_server in counts.items())
            to, back = (worker, workers + server), (workers + server, worker)
            assert ledger.link(*to, "keys") == 2 * steps * 8 * unique       # for the pull and for the push
            assert ledger.link(*to, "vals") == steps * vals
            assert ledger.link(*back, "vals") == steps * vals
            assert ledger.link(*back, "keys") == 0


def test_one_pull_and_one_push_per_server_a_step():
    tables, workers, servers = configs(dims=(4, 4, 4)), 1, 2
    bags = [{"a": [[0, 6]], "b": [[0, 10]], "c": [[0, 4]]}]
    run = SimWorld(workers + servers).run(program, tables, bags, workers, 5, weights_of(tables, bags))
    for stats in run.results[workers:]:
        (table,) = stats["tables"].values()
        assert table["pushes"] == 5
        assert table["pulls"] <= 5 + 3      # and the rows of three tables at the end


def test_no_gradients_no_push():
    tables = configs()

    def looking(comm):
        if comm.rank:
            return program(comm, tables, BAGS, 1)
        with KVWorker(comm, [1], table_configs(tables, SGD(1.0), init=INIT)) as kv, torch.no_grad():
            out = ShardedEmbeddingBagCollection(tables, kv)(kjt(BAGS[0])).values
            return out, sum(counts["pushes"] for counts in kv.stats().values())

    out, pushes = SimWorld(2).run(looking).results[0]
    assert pushes == 0
    assert torch.equal(out, EmbeddingBagCollection(tables, init=INIT)(kjt(BAGS[0])).values)


def test_backward_twice_pushes_both():
    tables = configs()

    def twice(comm):
        if comm.rank:
            return program(comm, tables, BAGS, 1)
        with KVWorker(comm, [1], table_configs(tables, SGD(1.0), init=INIT)) as kv:
            module = ShardedEmbeddingBagCollection(tables, kv)
            for bag in BAGS:
                module(kjt(bag)).values.sum().backward()
            kv.clock()
            return module.rows("a")

    ours = SimWorld(2).run(twice).results[0]
    ones = [torch.ones(3, 10)] * 2
    assert torch.equal(ours, reference(tables, BAGS, ones, 1)[1]["a"])


def test_init_reaches_the_rows():
    tables = configs()
    other = table_configs(tables, SGD(1.0), seed=1), table_configs(tables, SGD(1.0), seed=2)
    ones = [torch.ones(3, 10)]
    first, second = (SimWorld(2).run(program, tables, BAGS[:1], 1, 0, ones, kv).results[0][1]["a"] for kv in other)
    assert not torch.equal(first, second)
    assert torch.equal(first, EmbeddingBagCollection(tables, seed=1).tables["a"].weight)


@pytest.mark.parametrize(("bag", "message"), [
    ({**BAGS[0], "b": [[11], [], []]}, "feature 'b' holds id 11; table 'b' has rows 0..10"),
    ({"a": [[1]], "b": [[1]]}, "feature 'c' of table 'c' is missing from the input, which holds a, b"),
])
def test_bad_input_changes_nothing(bag, message):
    tables = configs()

    def trying(comm):
        if comm.rank:
            return program(comm, tables, BAGS, 1)
        with KVWorker(comm, [1], table_configs(tables, SGD(1.0), init=INIT)) as kv:
            module = ShardedEmbeddingBagCollection(tables, kv)
            with pytest.raises(ValueError, match=message):
                module(kjt(bag))
            with pytest.raises(ValueError, match="table='d'; there are a, b, c"):
                module.rows("d")
            return sum(counts["pulls"] for counts in kv.stats().values())

    assert SimWorld(2).run(trying).results[0] == 0
