"""Sorting keys by 16 bits at a time: as NumPy's stable sort, for any 64-bit keys, ties in the order they stand in."""

import numpy as np
import pytest

from pslab.ps.keys import _stable_order, distinct, sum_equal

SPANS = {"few": (0, 5), "16 bits": (0, 2**16), "17 bits": (0, 2**16 + 1), "32 bits": (-2**31, 2**31),
         "around 0": (-70_000, 70_000), "48 bits": (2**47, 2**48), "all": (-2**63, 2**63 - 1),
         "the ends": (2**63 - 300, 2**63 - 1), "the other end": (-2**63, -2**63 + 300), "one": (7, 8)}


@pytest.mark.parametrize("span", SPANS)
def test_order_distinct_and_sums_are_those_of_plain_sorting(span):
    rng = np.random.default_rng(len(span))
    for count in (1, 2, 17, 1000, 5000, 20_000):
        keys = rng.integers(*SPANS[span], count)
        keys[count // 2:] = rng.permutation(keys[:count - count // 2])        # some twice
        before = keys.copy()
        assert np.array_equal(_stable_order(keys), np.argsort(keys, kind="stable"))
        some, inverse = distinct(keys)
        want, want_inverse = np.unique(keys, return_inverse=True)
        assert np.array_equal(some, want)
        assert np.array_equal(some if inverse is None else some[inverse], keys)
        assert inverse is None or np.array_equal(inverse, want_inverse)
        vals = rng.integers(-9, 10, (count, 2)).astype(np.float32)
        summed, sums = sum_equal(keys, vals)
        total = np.zeros((len(want), 2), np.float32)
        np.add.at(total, want_inverse, vals)
        assert np.array_equal(summed, want)
        assert np.array_equal(sums, total)
        assert np.array_equal(keys, before)


def test_keys_of_all_bits_are_sorted_without_comparing_them(monkeypatch):
    """Only 16 bits at a time are given to NumPy where there are many keys."""
    seen = []
    sort = np.argsort

    def argsort(keys, **more):
        seen.append(keys.dtype)
        return sort(keys, **more)
    monkeypatch.setattr(np, "argsort", argsort)
    distinct(np.random.default_rng(0).integers(-2**63, 2**63 - 1, 20_000))
    assert seen == [np.uint16] * 4


@pytest.mark.parametrize("rows", [1000, 100_000, None])
def test_a_pull_from_one_server_is_not_sorted_and_costs_the_same_bytes(rows, monkeypatch):
    """Every key once, each row where it was asked for; without an end to the table, or with more servers, in order."""
    from pslab.comm import SimWorld
    from pslab.ps import ASP, SGD, KVServer, KVWorker, TableConfig, Uniform, keys, serve
    table = TableConfig("t", 2, rows, SGD(1.0), ASP(), init=Uniform(1.0, seed=3))
    rng, sorts = np.random.default_rng(4), []
    sort = keys._stable_order
    monkeypatch.setattr(keys, "_stable_order", lambda asked: sorts.append(len(asked)) or sort(asked))
    asked = [rng.integers(0, 1000, 700), rng.permutation(1000)[:500], np.arange(300), np.full(400, 7)]

    def program(comm, servers):
        if comm.rank:
            return serve(comm, KVServer([table], comm.rank - 1, servers, [0]))
        with KVWorker(comm, range(1, 1 + servers), [table]) as kv:
            pulls = [kv.pull(wanted, "t") for wanted in asked]
            return [kv.wait(pull).numpy().copy() for pull in reversed(pulls)][::-1]
    for servers in (1, 2):
        sorts.clear()
        run = SimWorld(1 + servers).run(program, servers)
        assert all(np.array_equal(got, table.initial_rows(wanted)) for got, wanted in zip(run.results[0], asked))
        assert run.ledger.total("keys") == 8 * sum(len(set(wanted.tolist())) for wanted in asked)
        assert sorts == ([] if servers == 1 and rows else [700, 500, 400])
