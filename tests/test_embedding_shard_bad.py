"""Bad input of sharded bags: named on the rank that brought it, an error on all ranks, and the next batch works."""

import pytest
import torch
from shard_cases import BATCHES, INIT, alone, check_equal, kjt, loss_weights, plan_of, tables

from pslab.comm import SimWorld
from pslab.embedding import DenseAdam, EmbeddingBagConfig, ShardedEmbeddingBagCollection, Sharding, plan_tables
from pslab.ps import SGD

BAD = [({"b": [[10], [11], [2]]}, "feature 'b' holds id 11; table 'b' has rows 0..10"),
       ({"a2": [[3], [1, 7], []]}, "feature 'a2' holds id 7; table 'a' has rows 0..6"),
       ({"a": [[-1], [], []]}, "feature 'a' holds id -1; table 'a' has rows 0..6"),
       ({"b": None}, "feature 'b' of table 'b' is missing")]


class Bags:
    """A batch whose ids nobody checked: a KeyedJaggedTensor refuses negative ones itself."""

    def __init__(self, bags):
        self.good = kjt({name: [[abs(i) for i in bag] for bag in rows] for name, rows in bags.items()})
        self.keys = self.good.keys
        self.negative = {name for name, rows in bags.items() if any(i < 0 for bag in rows for i in bag)}

    def __getitem__(self, key):
        bags = self.good[key]
        if key in self.negative:
            bags.values = -bags.values
        return bags


@pytest.mark.parametrize("dedup", [True, False])
@pytest.mark.parametrize(("change", "text"), BAD)
def test_a_bad_id_is_an_error_on_every_rank_and_nothing_has_changed(change, text, dedup):
    configs = tables(mean=None)
    plan = {"a": Sharding("row_wise"), "b": Sharding("table_wise", 2), "c": Sharding("data_parallel")}

    def program(comm):
        model = ShardedEmbeddingBagCollection(configs, comm, plan, SGD(0.5), dedup=dedup, init=INIT)
        bags = {**BATCHES[comm.rank], **(change if comm.rank == 0 else {})}
        with pytest.raises(ValueError) as error:
            model(Bags({name: rows for name, rows in bags.items() if rows is not None}))
        outs = []
        for _ in range(2):                              # all ranks are still together
            out = model(kjt(BATCHES[comm.rank])).values
            (out * loss_weights(comm.rank, out)).sum().backward()
            outs.append(out.detach())
        return str(error.value), outs, {table.name: model.rows(table.name) for table in configs}

    results = SimWorld(3).run(program).results
    assert text in results[0][0]
    assert not results[0][0].startswith("rank")
    for message, _, _ in results[1:]:
        assert message.startswith("rank 0 brought a batch that cannot be looked up: feature")
        assert text in message
    check_equal([result[1:] for result in results], alone(configs, BATCHES))


def test_two_bad_batches_are_each_named_where_they_are():
    configs = tables(mean=None)

    def program(comm):
        model = ShardedEmbeddingBagCollection(configs, comm, plan_of("row_wise", 3, configs), SGD(0.5))
        bad = {"a": [[]], "a2": [[]], "b": [[]], "c": [[5 + comm.rank]]}
        with pytest.raises(ValueError) as error:
            model(kjt(bad if comm.rank else BATCHES[0]))
        return str(error.value)

    texts = SimWorld(3).run(program).results
    assert texts[0] == ("rank 1 brought a batch that cannot be looked up: feature 'c' holds id 6; table 'c' has rows "
                        "0..4")
    assert [text[:22] for text in texts[1:]] == ["feature 'c' holds id 6", "feature 'c' holds id 7"]


def test_weights_that_are_asked_for_must_be_there():
    configs = tables(mean=None)
    with pytest.raises(ValueError, match="is_weighted=True, but feature 'a' comes without weights"):
        SimWorld(1).run(lambda comm: ShardedEmbeddingBagCollection(
            configs, comm, None, SGD(0.5), is_weighted=True)(kjt(BATCHES[0])))
    with pytest.raises(ValueError, match="weights go with pooling='sum'"):
        SimWorld(1).run(lambda comm: ShardedEmbeddingBagCollection(tables(), comm, None, SGD(0.5), is_weighted=True))


PLANS = [
    ({"a": Sharding("table_wise", 2)}, r"ranks=\[2\] of table 'a' hold 2; this group has ranks 0..1"),
    ({"a": Sharding("row_wise", [0, -1])}, r"hold -1; this group has ranks 0..1"),
    ({"a": Sharding("row_wise", [1, 1])}, r"hold rank 1 more than once; one shard of a table per rank"),
    ({"a": Sharding("table_wise", [0, 1])}, "table_wise needs exactly one rank"),
    ({"a": Sharding("row_wise", [])}, "row_wise needs at least one rank"),
    ({"a": Sharding("table_row_wise")}, "ranks=None for table 'a'; table_row_wise needs the ranks of one rack"),
    ({"a": Sharding("data_parallel", [0])}, "data_parallel keeps a replica on every rank"),
    ({"b": Sharding("column_wise")}, "embedding_dim=3 of table 'b' cannot be cut into 2 equal parts"),
    ({"a": Sharding("row_wise", rows=[(0, 4), (3, 7)])}, "row 3 of table 'a' is in the shards of rank 0 and of rank 1"),
    ({"a": Sharding("row_wise", rows=[(4, 7), (0, 3)])}, "row 3 of table 'a' is in no rank's shard"),
    ({"a": Sharding("row_wise", rows=[(0, 3), (3, 6)])}, "row 6 of table 'a' is in no rank's shard"),
    ({"a": Sharding("row_wise", rows=[(0, 8), (8, 8)])}, r"rows=\(0, 8\) of rank 0, table 'a'; 0 <= lo <= hi <= 7"),
    ({"a": Sharding("row_wise", rows=[(0, 7)])}, "are 1 ranges for 2 ranks"),
    ({"a": "row_wise"}, "plan has 'row_wise' for table 'a'; a Sharding is needed"),
    ({"d": Sharding("row_wise")}, "plan names table 'd'; there are a, b"),
    ({"b": None}, "plan has None for table 'b'"),
]


@pytest.mark.parametrize(("change", "text"), PLANS)
def test_a_plan_that_cannot_be_names_the_table_on_every_rank(change, text):
    configs = [EmbeddingBagConfig(7, 4, "a"), EmbeddingBagConfig(5, 3, "b")]
    plan = {"a": Sharding("row_wise"), "b": Sharding("row_wise"), **change}
    with pytest.raises(ValueError, match=text):
        SimWorld(2).run(lambda comm: ShardedEmbeddingBagCollection(configs, comm, plan, SGD(0.5)))


@pytest.mark.parametrize(("arguments", "text"), [
    ({"kind": "rows"}, "kind='rows'; allowed: table_wise, row_wise, column_wise"),
    ({"kind": "row_wise", "by": "mod"}, "by='mod'; allowed: range, hash"),
    ({"kind": "column_wise", "by": "hash"}, "by='hash' cuts rows; kind='column_wise' does not"),
    ({"kind": "column_wise", "rows": [(0, 1)]}, "belong to kind='row_wise'"),
    ({"kind": "row_wise", "by": "hash", "rows": [(0, 1)]}, "not to kind='row_wise' by='hash'"),
    ({"kind": "row_wise", "gradient": "sparse"}, "belongs to kind='data_parallel'"),
    ({"kind": "data_parallel", "gradient": "none"}, "gradient='none'; allowed: dense, sparse"),
])
def test_a_sharding_is_checked_when_it_is_made(arguments, text):
    with pytest.raises(ValueError, match=text):
        Sharding(**arguments)


def test_arguments_of_the_collection():
    configs = tables()
    for arguments, text in (({}, "rule=None; with a Comm the owners update rows by a rule"),
                            ({"rule": SGD(0.1), "dedup": 1}, "dedup=1; True"),
                            ({"rule": SGD(0.1), "plan": [1]}, r"plan=\[1\]; a Plan or a dict")):
        with pytest.raises(ValueError, match=text):
            SimWorld(1).run(lambda comm, given=arguments: ShardedEmbeddingBagCollection(configs, comm, **given))
    for argument, value in (("plan", {}), ("rule", SGD(0.1)), ("wire", "fp16"), ("dedup", False), ("seed", 3)):
        with pytest.raises(ValueError, match=f"{argument}=.* belongs to a Comm"):
            ShardedEmbeddingBagCollection(configs, object(), **{argument: value})
    with pytest.raises(ValueError, match="table='d'; there are a, b, c"):
        SimWorld(1).run(lambda comm: ShardedEmbeddingBagCollection(configs, comm, rule=SGD(0.1)).rows("d"))


def test_uneven_ranges_hold_what_they_say_and_train_alike():
    configs = tables(mean=None)
    plan = {"a": Sharding("row_wise", [2, 0, 1], rows=[(0, 1), (6, 7), (1, 6)]),
            "b": Sharding("row_wise", rows=[(0, 0), (0, 11), (11, 11)]), "c": Sharding("row_wise")}

    def program(comm):
        model = ShardedEmbeddingBagCollection(configs, comm, plan, SGD(0.5), init=INIT)
        outs = []
        for _ in range(2):
            out = model(kjt(BATCHES[comm.rank])).values
            (out * loss_weights(comm.rank, out)).sum().backward()
            outs.append(out.detach())
        held = sorted(len(store.rows) for store in model.over.stores.values())
        return held, outs, {table.name: model.rows(table.name) for table in configs}

    results = SimWorld(3).run(program).results
    assert [result[0] for result in results] == [[1, 2], [2, 16], [1, 1]]       # (dim 2: c; dim 4: a and b)
    check_equal([result[1:] for result in results], alone(configs, BATCHES))


def test_a_dense_adam_steps_every_row_of_every_owner():
    configs = tables(mean=None)
    optimizer = lambda rows: torch.optim.Adam(rows, 0.1)                         # noqa: E731
    expected = alone(configs, BATCHES, optimizer, 3, scale=0.01)

    def program(comm, dedup):
        plan = {"a": Sharding("row_wise"), "b": Sharding("table_wise", 2), "c": Sharding("data_parallel")}
        model = ShardedEmbeddingBagCollection(configs, comm, plan, DenseAdam(0.1), dedup=dedup, init=INIT)
        outs = []
        for _ in range(3):
            out = model(kjt(BATCHES[comm.rank])).values
            (out * loss_weights(comm.rank, out) * 0.01).sum().backward()
            outs.append(out.detach())
        return outs, {table.name: model.rows(table.name) for table in configs}

    for dedup in (True, False):
        check_equal(SimWorld(3).run(program, dedup).results, expected, atol=1e-5)


def test_no_plan_where_nothing_fits_names_the_table():
    with pytest.raises(ValueError, match="table 'b' of 11 x 4 needs"):
        plan_tables(tables(), 2, SGD(0.1), capacity_bytes=150, kinds=["table_wise"])
