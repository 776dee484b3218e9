"""Where tables are placed: shards that cover a table once, the skew of owners, and the planner."""

import itertools

import numpy as np
import pytest
from shard_cases import tables

from pslab.data.streams import zipf
from pslab.embedding import EmbeddingBagConfig, Sharding, plan_tables
from pslab.embedding.sharding import equal_ranges, lookups_per_owner, shard_bytes, shards_of, table_bytes
from pslab.embedding.sharding.plan import Places
from pslab.ps import SGD, AdaGrad, Adam, RowWiseAdaGrad

CONFIG = EmbeddingBagConfig(103, 12, "t")


@pytest.mark.parametrize("sharding", [Sharding("table_wise", 2), Sharding("row_wise"), Sharding("row_wise", by="hash"),
                                      Sharding("column_wise", [3, 0]), Sharding("table_row_wise", [1, 3], "hash")])
def test_shards_cover_every_row_and_column_once(sharding):
    held = np.zeros((103, 12), int)
    for shard in shards_of(CONFIG, sharding, 4):
        rows = Places(103, sharding.by).ids(np.arange(*shard.rows))
        held[np.ix_(rows, range(*shard.columns))] += 1
        assert sharding.ranks is None or shard.rank in sharding.ranks
    assert (held == 1).all()


@pytest.mark.parametrize("num_rows", [1, 2, 3, 16, 97, 1000, 46368, 100_000])
def test_places_by_hash_are_a_permutation_and_back(num_rows):
    places, ids = Places(num_rows, "hash"), np.arange(num_rows)
    assert sorted(places.place(ids)) == ids.tolist()
    assert (places.ids(places.place(ids)) == ids).all()


def test_equal_ranges_are_those_of_tensor_split():
    for rows, parts in ((7, 3), (2, 5), (10, 1), (0, 2)):
        sizes = [len(part) for part in np.array_split(np.arange(rows), parts)]
        assert [hi - lo for lo, hi in equal_ranges(rows, parts)] == sizes


def test_by_hash_neighbours_and_strides_are_spread_where_ranges_are_skewed():
    """Hot ids are the smallest ones: all in the first range, and a hash gives each owner its share."""
    config = EmbeddingBagConfig(10_000, 4, "t")
    ids = np.asarray(zipf(1.1, 10_000, 50_000, seed=3))
    order = np.argsort(-np.bincount(ids, minlength=10_000), kind="stable")
    by_heat = np.argsort(order)[ids]                            # ids numbered by how hot they are
    skew = {}
    for by in ("range", "hash"):
        counts = lookups_per_owner(config, Sharding("row_wise", by=by), by_heat, 4)
        assert counts.sum() == 50_000
        skew[by] = counts.max() / counts.mean()
    assert skew["range"] > 3.4
    assert skew["hash"] < 1.7
    every_fourth = np.arange(0, 10_000, 4)
    assert lookups_per_owner(config, Sharding("row_wise", by="hash"), every_fourth, 4).tolist() == pytest.approx(
        [625] * 4, abs=3)


def test_owners_of_the_other_kinds():
    ids = [0, 0, 1, 102]
    assert lookups_per_owner(CONFIG, Sharding("table_wise", 2), ids, 3).tolist() == [0, 0, 4]
    assert lookups_per_owner(CONFIG, Sharding("column_wise", [0, 2]), ids, 3).tolist() == [4, 0, 4]
    assert lookups_per_owner(CONFIG, Sharding("data_parallel"), ids, 3).tolist() == [0, 0, 0]
    assert lookups_per_owner(CONFIG, Sharding("table_row_wise", [2, 0]), ids, 3).tolist() == [1, 0, 3]
    with pytest.raises(ValueError, match=r"ids hold 0..103; table 't' has rows 0..102"):
        lookups_per_owner(CONFIG, Sharding("row_wise"), [0, 103], 3)


# ---- the planner ----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("rule", "floats"), [(None, 16), (SGD(0.1), 16), (AdaGrad(0.1), 32), (RowWiseAdaGrad(0.1), 17),
                                              (Adam(0.1), 48)])
def test_the_rules_state_counts(rule, floats):
    config = EmbeddingBagConfig(100, 16, "t")
    assert table_bytes(config, rule) == shard_bytes(100, 16, rule) == 4 * 100 * floats
    plan = plan_tables([config], 2, rule, capacity_bytes=4 * 100 * floats, kinds=["table_wise"])
    assert plan.memory_bytes == [4 * 100 * floats, 0]
    with pytest.raises(ValueError, match="table 't' of 100 x 16 needs .* fits nowhere; left are rank 0"):
        plan_tables([config], 2, rule, capacity_bytes=4 * 100 * floats - 1, kinds=["table_wise"])


def test_a_table_larger_than_any_rank_is_cut_and_one_larger_than_all_is_refused():
    big, small = EmbeddingBagConfig(1000, 8, "big"), EmbeddingBagConfig(10, 8, "small")
    plan = plan_tables([small, big], 4, AdaGrad(0.1), capacity_bytes=17_000)
    assert plan["big"].kind in ("row_wise", "column_wise")
    assert max(plan.memory_bytes) <= 17_000
    assert list(plan) == ["small", "big"]
    with pytest.raises(ValueError, match="table 'big' of 1,000 x 8 needs 64.0 kB .* rank 3: 1"):
        plan_tables([small, big], 4, AdaGrad(0.1), capacity_bytes=15_000)


def test_each_rank_may_have_its_own_capacity():
    config = EmbeddingBagConfig(100, 8, "t")
    plan = plan_tables([config], 3, None, capacity_bytes=[100, 5000, 100], kinds=["table_wise"])
    assert plan["t"].ranks == (1,)
    with pytest.raises(ValueError, match="one number of bytes, or 2 of them"):
        plan_tables([config], 2, None, capacity_bytes=[100])


def test_whole_tables_are_balanced_within_a_third_of_the_best():
    sizes = [7, 7, 6, 6, 5, 5, 4, 4, 4]
    configs = [EmbeddingBagConfig(1000, 8, f"t{i}") for i in range(len(sizes))]
    per_bag = {f"t{i}": float(size) for i, size in enumerate(sizes)}
    plan = plan_tables(configs, 3, None, lookups_per_bag=per_bag, kinds=["table_wise"], batch=10)
    loads = [sum(sizes[i] for i in range(9) if plan[f"t{i}"].ranks == (rank,)) for rank in range(3)]
    best = min(max(sum(size for size, home in zip(sizes, homes) if home == rank) for rank in range(3))
               for homes in itertools.product(range(3), repeat=9))
    assert max(loads) <= (4 / 3 - 1 / 9) * best
    u = 4 + 8 * 8
    assert plan.port_bytes == [10 * u * (2 * load + (sum(sizes) - load)) for load in loads]


def test_bytes_of_a_port_by_kind():
    """n = 40 lookups of each of 4 ranks in a table of 100 x 8."""
    config, n, full, half = EmbeddingBagConfig(100, 8, "t"), 40, 4 + 8 * 8, 4 + 8 * 2

    def ports(kind, **more):
        return plan_tables([config], 4, None, kinds=[kind], batch=40, **more).port_bytes

    assert ports("table_wise") == [3 * n * full, n * full, n * full, n * full]
    assert ports("row_wise") == [round(2 * 3 / 4 * n * full)] * 4
    assert ports("column_wise") == [2 * 3 * n * half] * 4
    assert ports("data_parallel") == [round(4 * 3 / 4 * 4 * 100 * 9)] * 4
    inside = round((3 / 2 + 1 / 2) * n * full)
    assert ports("table_row_wise", racks=[[0, 1], [2, 3]]) == [inside, inside, n * full, n * full]


def test_small_and_hot_is_replicated_large_and_cold_is_not():
    hot, cold = EmbeddingBagConfig(50, 16, "hot"), EmbeddingBagConfig(100_000, 16, "cold")
    plan = plan_tables([hot, cold], 4, SGD(0.1), lookups_per_bag={"hot": 20, "cold": 1})
    assert plan["hot"].kind == "data_parallel"
    assert plan["cold"].kind == "row_wise"
    assert plan["cold"].by == "hash"
    assert plan_tables([cold], 4, SGD(0.1), by="range")["cold"].by == "range"


def test_table_row_wise_needs_racks_and_stays_in_one():
    configs = [EmbeddingBagConfig(100, 5, name) for name in ("t", "s")]
    plan = plan_tables(configs, 4, None, racks=[[0, 1], [2, 3]], kinds=["table_row_wise"])
    assert {plan["t"].ranks, plan["s"].ranks} == {(0, 1), (2, 3)}
    with pytest.raises(ValueError, match=r"table 't' can be placed by none of kinds=\['table_row_wise'\]"):
        plan_tables(configs, 4, None, kinds=["table_row_wise"])
    with pytest.raises(ValueError, match="kinds=.* hold 'rows'"):
        plan_tables(configs, 4, None, kinds=["rows"])
    with pytest.raises(ValueError, match="world_size=0"):
        plan_tables(configs, 0)


def test_a_plan_is_printed_as_a_table():
    text = str(plan_tables(tables(), 2, AdaGrad(0.1), capacity_bytes=2000, kinds=["row_wise"], batch=100))
    lines = [line.split() for line in text.splitlines()]
    assert lines[0] == ["table", "rows", "dim", "kind", "by", "ranks", "rows", "x", "columns", "of", "a", "rank"]
    assert ["b", "11", "4", "row_wise", "hash", "0,1", "6", "x", "4"] in lines
    assert ["0", "368", "B", "2.0", "kB", "12.8", "kB"] in lines
    assert "no limit" in str(plan_tables(tables(), 2))


def test_both_orders_are_needed():
    """Largest first would put the busy small table on top of others; busiest first would leave no room for a large."""
    configs = [*(EmbeddingBagConfig(100, 8, f"large{i}") for i in range(4)), EmbeddingBagConfig(10, 8, "busy")]
    busy = plan_tables(configs, 3, None, lookups_per_bag={"busy": 4.0}, kinds=["table_wise"])
    assert busy["busy"].ranks not in [busy[f"large{i}"].ranks for i in range(4)]
    configs = [EmbeddingBagConfig(5, 1, "s"), EmbeddingBagConfig(5, 1, "t"), EmbeddingBagConfig(10, 1, "large")]
    full = plan_tables(configs, 3, None, capacity_bytes=[40, 40, 0], lookups_per_bag={"s": 9.0, "t": 9.0},
                       kinds=["table_wise"])
    assert full["s"].ranks == full["t"].ranks != full["large"].ranks
