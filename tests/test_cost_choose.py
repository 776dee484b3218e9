"""The decision follows capacity first, bytes second, and says so."""

import pytest

from pslab import cost

TABLE = {"K": 8, "S": 4, "rows": 100_000, "row_bytes": 512, "rows_per_worker": 400, "worker_memory_bytes": 80 * 10**9}


def test_a_table_that_does_not_fit_goes_to_servers_whatever_the_bytes():
    at_two = {**TABLE, "K": 2, "S": 1, "rows": 10**8, "rows_per_worker": 4096}
    assert cost.choose(**at_two).architecture == "gather", "51.2 GB fit in 80 GB"
    with_adam = cost.choose(**at_two, slots=2)
    assert with_adam.architecture == "server"
    assert with_adam.copy_bytes == 3 * 51_200_000_000
    assert "153,600,000,000 bytes does not fit in a worker's 80,000,000,000" in with_adam.reason
    assert next(iter(with_adam.busiest)) == "gather", "by bytes alone it would have been the gather"


def test_the_last_byte_decides_what_fits():
    table = {**TABLE, "K": 2, "S": 1}
    assert cost.choose(**{**table, "worker_memory_bytes": 51_200_000}).architecture == "gather"
    assert cost.choose(**{**table, "worker_memory_bytes": 51_199_999}).architecture == "server"


def test_dense_groups_go_through_the_ring_unless_servers_are_many():
    dense = {**TABLE, "rows": 1_000, "rows_per_worker": 1_000}
    assert cost.choose(**dense).architecture == "allreduce"
    assert cost.choose(**{**dense, "S": 8}).architecture == "server", "S = K machines more carry less per port"
    assert cost.choose(**{**dense, "K": 2, "S": 2}).architecture == "allreduce", "equal bytes: no extra machines"


@pytest.mark.parametrize(("K", "S", "expected"), [
    (2, 1, "gather"), (4, 4, "server"), (16, 1, "gather"), (16, 4, "server")])
def test_sparse_groups_by_bytes(K, S, expected):
    choice = cost.choose(**{**TABLE, "K": K, "S": S})
    gather, server = (K - 1) * 400 * 520, K * (400 // S) * 528
    assert choice.busiest["gather"] == gather
    assert choice.busiest["server"] == max(server, 400 * 528)
    assert choice.architecture == expected == min(("gather", gather), ("server", server), key=lambda c: c[1])[0]
    assert list(choice.busiest.values()) == sorted(choice.busiest.values())


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="rows_per_worker=100001; unique rows can be at most rows=100000"):
        cost.choose(**{**TABLE, "rows_per_worker": 100_001})
    with pytest.raises(ValueError, match="slots=-1"):
        cost.choose(**TABLE, slots=-1)
