"""Elastic averaging: one centre for all of an exchange, sums that stay, and the limit of alpha on both sides."""

import numpy as np
import pytest
import torch

from pslab.comm import SimWorld
from pslab.ps import ASP, EASGD, SGD, Adam, ElasticAverage, KVServer, KVWorker, TableConfig, elastic_step, serve
from pslab.ps import stable_alpha as limit


def train(workers, alpha, every, steps, rate=0.0, rows=5, dim=3, servers=2, seed=0):
    """Every worker starts elsewhere and goes towards a target of its own; gives (locals, centre, centres that each saw,
    sums after every exchange)."""
    table = TableConfig("centre", dim, rows, rule=SGD(1.0), consistency=EASGD(alpha, every))
    begin = np.random.default_rng(seed).normal(size=(workers, rows, dim)).astype(np.float32)

    def program(comm):
        if comm.rank >= workers:
            server = KVServer([table], comm.rank - workers, servers, range(workers))
            serve(comm, server)
            return np.array(server.rows("centre"))
        x, seen, after = torch.from_numpy(begin[comm.rank].copy()), [], []
        with KVWorker(comm, range(workers, comm.world_size), [table]) as kv:
            average, pull = ElasticAverage(kv, table, x), kv.pull
            kv.pull = lambda *args: seen.append(pull(*args)) or seen[-1]
            wait = kv.wait
            kv.wait = lambda timestamp: seen.append(wait(timestamp).clone()) or seen[-1]
            for step in range(steps):
                comm.compute(1e-4 * (comm.rank + 1))
                x -= rate * (x - comm.rank)
                assert average.step() == (step % every == every - 1)
                after.append(x.clone())
            assert average.exchanges == steps // every == kv.current_clock
        return x.numpy(), [item for item in seen if isinstance(item, torch.Tensor)], after
    results = SimWorld(workers + servers).run(program).results
    return results[:workers], np.concatenate(results[workers:]), begin


def by_hand(begin, alpha, every, steps, rate):
    x, centre = begin.astype(np.float64), np.zeros(begin.shape[1:])
    for step in range(steps):
        x = x - rate * (x - np.arange(len(x))[:, None, None])
        if step % every == every - 1:
            x, centre = elastic_step(x, centre, alpha)
    return x, centre


@pytest.mark.parametrize(("workers", "alpha", "every"), [(1, 0.5, 1), (2, 0.3, 3), (4, 0.2, 2)])
def test_the_servers_do_what_the_formula_says(workers, alpha, every):
    locals_, centre, begin = train(workers, alpha, every, 12, rate=0.1)
    x, expected = by_hand(begin, alpha, every, 12, 0.1)
    np.testing.assert_allclose([x for x, _, _ in locals_], x, atol=1e-5)
    np.testing.assert_allclose(centre, expected, atol=1e-5)


def test_all_of_an_exchange_see_the_same_old_centre():
    locals_, _, begin = train(3, 0.25, 2, 8)
    centres = [seen for _, seen, _ in locals_]
    assert [len(seen) for seen in centres] == [4] * 3
    for one, *others in zip(*centres):
        assert all(torch.equal(one, other) for other in others)
    assert not centres[0][0].any()                                      # the first is that of before
    np.testing.assert_allclose(centres[0][1], 0.25 * begin.sum(0), rtol=1e-6)


def test_the_sum_stays():
    """Of locals and centre, with no gradient: to 1e-12 in float64, to 1e-6 of its size on servers in float32."""
    rng = np.random.default_rng(1)
    x, centre = rng.normal(size=(5, 40)), rng.normal(size=40)
    total = x.sum(0) + centre
    for _ in range(50):
        x, centre = elastic_step(x, centre, 0.3)
    np.testing.assert_allclose(x.sum(0) + centre, total, rtol=0, atol=1e-12)
    locals_, centre, begin = train(4, 0.35, 1, 30)
    np.testing.assert_allclose(sum(x for x, _, _ in locals_) + centre, begin.sum(0), rtol=0, atol=1e-6 * 8)


@pytest.mark.parametrize("workers", [1, 2, 7])
def test_the_limit_of_alpha_from_both_sides(workers):
    """The distance of the mean from the centre shrinks by 1 - alpha (K + 1) an exchange: just below 2 / (K + 1) it
    goes to nothing, just above it grows."""
    begin = np.random.default_rng(2).normal(size=(workers, 6))
    for factor, shrinks in ((0.02, True), (0.5, True), (0.98, True), (1.02, False)):
        alpha, x, centre = factor * limit(workers), begin, np.zeros(6)
        gaps = [x.mean(0) - centre]
        for _ in range(200):
            x, centre = elastic_step(x, centre, alpha)
            gaps.append(x.mean(0) - centre)
        np.testing.assert_allclose(gaps[3], (1 - alpha * (workers + 1)) ** 3 * gaps[0], atol=1e-12)
        assert (np.abs(gaps[-1]).max() < 0.2 * np.abs(gaps[0]).max()) == shrinks, factor


def test_a_server_refuses_an_alpha_beyond_the_limit():
    for workers in (2, 3, 7):
        for factor, right in ((0.999, True), (1.0, False)):
            tables = [TableConfig("c", 1, 1, consistency=EASGD(factor * limit(workers), 1))]
            if right:
                KVServer(tables, 0, 1, range(workers))
            else:
                with pytest.raises(ValueError, match="swing ever wider"):
                    KVServer(tables, 0, 1, range(workers))


@pytest.mark.parametrize(("table", "rows", "words"), [
    (TableConfig("c", 2, 3, rule=SGD(1.0), consistency=ASP()), torch.zeros(3, 2), r"ASP\(\); EASGD"),
    (TableConfig("c", 2, 3, rule=SGD(0.5), consistency=EASGD(0.1, 1)), torch.zeros(3, 2), r"SGD\(1.0\) is needed"),
    (TableConfig("c", 2, 3, rule=Adam(1.0), consistency=EASGD(0.1, 1)), torch.zeros(3, 2), r"SGD\(1.0\) is needed"),
    (TableConfig("c", 2, 3, rule=SGD(1.0), consistency=EASGD(0.1, 1)), torch.zeros(2, 3), r"needs float32\[3, 2\]"),
    (TableConfig("c", 2, 3, rule=SGD(1.0), consistency=EASGD(0.1, 1)), torch.zeros(3, 2).double(), "float64"),
])
def test_what_is_refused(table, rows, words):
    with pytest.raises(ValueError, match=words):
        ElasticAverage(None, table, rows)


@pytest.mark.parametrize("workers", [0, -1, 1.5, True])
def test_the_number_of_workers(workers):
    with pytest.raises(ValueError, match="num_workers="):
        limit(workers)
    assert limit(3) == 0.5
