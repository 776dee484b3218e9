"""What the tests of sharded bags share: tables, batches of unequal sizes, and the same training in one process."""

import torch

from pslab.data import KeyedJaggedTensor
from pslab.embedding import EmbeddingBagCollection, EmbeddingBagConfig, ShardedEmbeddingBagCollection, Sharding
from pslab.ps import SGD, Integers

INIT = Integers(-8, 9, seed=5)

# Batches by rank, of 3, 4 and 0 rows: duplicates in a bag and across bags and ranks, empty bags, a feature without ids.
BATCHES = [
    {"a": [[3, 3, 1], [], [0]], "a2": [[3], [1, 1], []], "b": [[10], [10, 4], [2]], "c": [[], [], []]},
    {"a": [[3], [6], [6], []], "a2": [[], [], [5], []], "b": [[], [2, 2, 9, 0], [], [1]], "c": [[4], [], [4, 0], [1]]},
    {"a": [], "a2": [], "b": [], "c": []},
]
NO_IDS = {"a": [[], []], "a2": [[], []], "b": [[], []], "c": [[], []]}


def tables(mean="b", dims=(4, 4, 2)):
    """`a` is looked up by two features; rows and ranks share no divisor."""
    return [EmbeddingBagConfig(rows, dim, name, features, "mean" if name == mean else "sum")
            for rows, dim, name, features in zip((7, 11, 5), dims, "abc", (("a", "a2"), ("b",), ("c",)))]


def kjt(bags, weighted=False):
    values = [i for rows in bags.values() for row in rows for i in row]
    weights = torch.tensor([(3 * n) % 5 - 2.0 for n in range(len(values))]) if weighted else None
    lengths = [len(row) for rows in bags.values() for row in rows]
    return KeyedJaggedTensor(list(bags), values, lengths, weights=weights)


def plan_of(kind, K, configs, **more):
    """The same sharding for every table; table kinds go to the last ranks, so that rank 0 owns nothing."""
    ranks = {"table_wise": K - 1, "table_row_wise": list(range(max(0, K - 2), K))}.get(kind)
    return {table.name: Sharding(kind, ranks, **more) for table in configs}


KINDS = [("table_wise", {}), ("row_wise", {}), ("row_wise", {"by": "hash"}), ("column_wise", {}),
         ("table_row_wise", {}), ("data_parallel", {}), ("data_parallel", {"gradient": "sparse"})]


def loss_weights(rank, values):
    """Element j of rank r weighs j·3 + r - 9: different for every rank and place, whole numbers."""
    return torch.arange(values.numel()).view(values.shape).float() * 3 + rank - 9


def train(comm, configs, plan, batches, rule=None, steps=2, weighted=False, scale=1.0, **more):
    """One rank's training: (outputs of each step, {table: all rows after it})."""
    rule = SGD(0.5) if rule is None else rule
    model = ShardedEmbeddingBagCollection(configs, comm, plan, rule, is_weighted=weighted, **{"init": INIT, **more})
    outs = []
    for _ in range(steps):
        out = model(kjt(batches[comm.rank], weighted)).values
        (out * loss_weights(comm.rank, out) * scale).sum().backward()
        outs.append(out.detach())
    return outs, {table.name: model.rows(table.name) for table in configs}


def alone(configs, batches, make_optimizer=None, steps=2, weighted=False, scale=1.0, init=INIT):
    """The same in one process, by torch's bags and optimizer: (outputs of each step by rank, {table: rows})."""
    model = EmbeddingBagCollection(configs, init=init, is_weighted=weighted)
    optimizer = (make_optimizer or (lambda rows: torch.optim.SGD(rows, 0.5)))(model.parameters())
    outs = []
    for _ in range(steps):
        optimizer.zero_grad()
        each = [model(kjt(bags, weighted)).values for bags in batches]
        sum((out * loss_weights(rank, out) * scale).sum() for rank, out in enumerate(each)).backward()
        optimizer.step()
        outs.append([out.detach() for out in each])
    return outs, {table.name: model.tables[table.name].weight.detach() for table in configs}


def check_equal(results, expected, atol=0.0):
    """Every rank's outputs and rows are the single process's, bit for bit where atol is 0."""
    outs, rows = expected
    for rank, (mine, mine_rows) in enumerate(results):
        for step, out in enumerate(mine):
            torch.testing.assert_close(out, outs[step][rank], atol=atol, rtol=0)
        for name, table in rows.items():
            torch.testing.assert_close(mine_rows[name], table, atol=atol, rtol=0)
