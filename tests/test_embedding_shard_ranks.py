"""Bags sharded over ranks: every plan gives what torch gives in one process."""

import numpy as np
import pytest
import torch
from shard_cases import BATCHES, INIT, KINDS, NO_IDS, alone, check_equal, kjt, plan_of, tables, train

from pslab.comm import ProcessWorld, Racks, SimWorld
from pslab.embedding import ShardedEmbeddingBagCollection, Sharding, plan_tables
from pslab.ps import FTRL, SGD, AdaGrad, Adam, RowWiseAdaGrad, Uniform


@pytest.mark.parametrize("dedup", [True, False])
@pytest.mark.parametrize(("kind", "more"), KINDS)
def test_every_plan_is_bit_for_bit_the_single_process(kind, more, dedup):
    for K in (1, 2, 3):
        configs = tables(mean=None, dims=(6, 6, 12) if kind == "column_wise" else (4, 4, 2))
        run = SimWorld(K).run(_train, configs, plan_of(kind, K, configs, **more), BATCHES[:K], dedup)
        check_equal(run.results, alone(configs, BATCHES[:K]))


def _train(comm, configs, plan, batches, dedup, *more):
    return train(comm, configs, plan, batches, *more, dedup=dedup)


@pytest.mark.parametrize("dedup", [True, False])
def test_weights_are_multiplied_forward_and_backward(dedup):
    configs = tables(mean=None)
    for kind, more in KINDS[:3] + KINDS[5:]:
        run = SimWorld(2).run(_train, configs, plan_of(kind, 2, configs, **more), BATCHES[:2], dedup, SGD(0.5), 2, True)
        check_equal(run.results, alone(configs, BATCHES[:2], weighted=True))


@pytest.mark.parametrize("dedup", [True, False])
def test_means_are_of_the_whole_bag_though_owners_have_parts_of_it(dedup):
    configs = tables(mean="b")                  # bags of 1, 2 and 4 ids: quotients are exact
    for kind, more in KINDS:
        dims = configs if kind != "column_wise" else tables(mean="b", dims=(4, 4, 4))
        run = SimWorld(2).run(_train, dims, plan_of(kind, 2, dims, **more), BATCHES[:2], dedup, SGD(0.5))
        check_equal(run.results, alone(dims, BATCHES[:2]), atol=1e-6)


def test_ranks_without_ids_and_without_rows():
    configs = tables(mean=None)
    for batches in ([NO_IDS, BATCHES[1]], [BATCHES[2], BATCHES[2]], [NO_IDS, NO_IDS]):
        for dedup in (True, False):
            run = SimWorld(2).run(_train, configs, plan_of("row_wise", 2, configs), batches, dedup)
            check_equal(run.results, alone(configs, batches))


RULES = [(AdaGrad(0.1), lambda rows: torch.optim.Adagrad(rows, 0.1)),
         (SGD(0.1), lambda rows: torch.optim.SGD(rows, 0.1))]


@pytest.mark.parametrize(("rule", "make_optimizer"), RULES)
def test_twenty_steps_of_a_mixed_plan_stay_within_a_millionth(rule, make_optimizer):
    configs = tables(mean="b")
    init = Uniform(0.1, seed=3)
    plan = {"a": Sharding("row_wise", by="hash"), "b": Sharding("column_wise", [2, 0]), "c": Sharding("table_wise", 1)}
    expected = alone(configs, BATCHES, make_optimizer, 20, scale=0.001, init=init)
    for dedup in (True, False):
        run = SimWorld(3).run(_floats, configs, plan, rule, dedup, init)
        check_equal(run.results, expected, atol=1e-6)
    moved = torch.from_numpy(init.rows(range(7), 4, "embedding_d4"))
    assert (expected[1]["a"] - moved).abs().max() > 0.01


def _floats(comm, configs, plan, rule, dedup, init):
    return train(comm, configs, plan, BATCHES, rule, 20, scale=0.001, dedup=dedup, init=init)


@pytest.mark.parametrize("rule", [RowWiseAdaGrad(0.1), Adam(0.1), FTRL(0.1, l1=0.01)])
def test_state_stays_with_its_row_on_whichever_rank_it_lies(rule):
    """Rules that torch has not: K ranks against one, whose rows are all in one store."""
    configs = tables(mean=None)
    single = [{feature: [bag for bags in BATCHES for bag in bags[feature]] for feature in BATCHES[0]}]
    one = SimWorld(1).run(_ones, configs, plan_of("table_wise", 1, configs), single, rule).results[0]
    for kind, more in KINDS[:3] + KINDS[5:]:
        run = SimWorld(3).run(_ones, configs, plan_of(kind, 3, configs, **more), BATCHES, rule)
        for rows in run.results:
            for name, table in one.items():
                torch.testing.assert_close(rows[name], table, atol=1e-6, rtol=0)


def _ones(comm, configs, plan, batches, rule):
    model = ShardedEmbeddingBagCollection(configs, comm, plan, rule, init=Uniform(0.1))
    for _ in range(4):
        model(kjt(batches[comm.rank])).values.square().sum().backward()
    return {table.name: model.rows(table.name) for table in configs}


def test_real_processes_do_the_same():
    configs = tables(mean=None)
    plan = {"a": Sharding("row_wise", by="hash"), "b": Sharding("column_wise", [2, 0]), "c": Sharding("data_parallel")}
    with ProcessWorld(3) as world:
        run = world.run(_both, configs, plan)
    expected = alone(configs, BATCHES)
    for which in (0, 1):
        check_equal([result[which] for result in run.results], expected)


def _both(comm, configs, plan):
    return [train(comm, configs, plan, BATCHES, dedup=dedup) for dedup in (True, False)]


def test_a_plan_is_made_where_none_is_given_and_begins_with_the_local_rows():
    configs = tables(mean=None)
    run = SimWorld(2).run(_train, configs, None, BATCHES[:2], True)
    check_equal(run.results, alone(configs, BATCHES[:2]))


def test_given_rows_are_kept_by_their_owners_and_no_message_is_sent():
    configs = tables(mean=None)
    given = {table.name: torch.arange(table.num_embeddings * table.embedding_dim).float().view(-1, table.embedding_dim)
             for table in configs}
    plan = {"a": Sharding("row_wise", by="hash"), "b": Sharding("column_wise"), "c": Sharding("data_parallel")}

    def program(comm, asking):
        model = ShardedEmbeddingBagCollection(configs, comm, plan, SGD(1.0), init=INIT)
        for name, rows in given.items():
            model.load_rows(name, rows)
        return {name: model.rows(name) for name in given} if asking else None

    assert SimWorld(2).run(program, False).ledger.total() == 0
    for rows in SimWorld(2).run(program, True).results:
        assert all(torch.equal(rows[name], given[name]) for name in given)
    with pytest.raises(ValueError, match=r"rows of shape \[7, 3\] for table 'a' of 7 x 4"):
        SimWorld(1).run(lambda comm: ShardedEmbeddingBagCollection(
            configs, comm, None, SGD(1.0)).load_rows("a", torch.zeros(7, 3)))


def test_looking_up_without_gradients_steps_nothing():
    configs = tables(mean=None)

    def program(comm):
        model = ShardedEmbeddingBagCollection(configs, comm, plan_of("row_wise", 2, configs), SGD(0.5), init=INIT)
        with torch.no_grad():
            out = model(kjt(BATCHES[comm.rank]))
        return out.values.requires_grad, out.values, {table.name: model.rows(table.name) for table in configs}

    (outs, _), (_, first_rows) = (alone(configs, BATCHES[:2], steps=steps) for steps in (1, 0))
    for rank, (needs, out, rows) in enumerate(SimWorld(2).run(program).results):
        assert not needs
        assert torch.equal(out, outs[0][rank])
        assert all(torch.equal(rows[name], table) for name, table in first_rows.items())


def test_shards_share_the_memory_of_a_table():
    """A rank holds its rows and their state, and no more: not a copy of the table."""
    configs = tables(mean=None)
    plan = {"a": Sharding("row_wise"), "b": Sharding("column_wise"), "c": Sharding("table_wise", 1)}

    def program(comm):
        model = ShardedEmbeddingBagCollection(configs, comm, plan, AdaGrad(0.1))
        return sum(store.rows.nbytes + store.state.nbytes for store in model.over.stores.values())

    held = SimWorld(2).run(program).results
    made = plan_tables(configs, 2, AdaGrad(0.1), kinds=["row_wise"])
    assert held == [2 * 4 * (4 * 4 + 11 * 2), 2 * 4 * (3 * 4 + 11 * 2 + 5 * 2)]
    assert sum(held) == 2 * 4 * (7 * 4 + 11 * 4 + 5 * 2) == sum(made.memory_bytes)
    assert np.all(np.array(made.memory_bytes) > 0)


def test_racks_are_groups_of_ranks_that_hold_a_table_together():
    configs = tables(mean=None)
    racks = Racks(2).of(4)
    plan = {"a": Sharding("table_row_wise", racks[1]), "b": Sharding("table_row_wise", racks[0], by="hash"),
            "c": Sharding("table_wise", 3)}
    batches = [*BATCHES, NO_IDS]
    run = SimWorld(4, racks=Racks(2)).run(_train, configs, plan, batches, False)
    check_equal(run.results, alone(configs, batches))
