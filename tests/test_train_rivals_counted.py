"""Bytes that were counted beside what pslab.cost says: three rivals, the crossover, hot rows; and the square."""

from dataclasses import replace

import numpy as np
import pytest

from pslab import cost
from pslab.comm import ProcessWorld
from pslab.train import (
    Logistic,
    Pace,
    SparseStep,
    run_hot,
    run_rival,
    sweep_crossover,
    two_by_two,
)

RIVALS = ("allreduce", "server", "gather")


@pytest.mark.parametrize(("workers", "servers", "rows", "touched"), [
    (1, 1, 20, 5), (2, 1, 50, 7), (3, 2, 51, 17), (2, 3, 10, 0), (3, 2, 11, 11)])
def test_every_port_is_as_predicted_and_all_three_end_with_the_same_table(workers, servers, rows, touched):
    step = SparseStep(rows, 3, touched, workers, servers)
    runs = {name: run_rival(name, step) for name in RIVALS}
    expected = np.zeros((rows, 3))
    for rank in range(workers):
        assert len(set(step.ids(rank))) == touched
        expected[step.ids(rank)] -= step.grads(rank)
    for name, run in runs.items():
        assert run.exact, name
        assert run.total == cost.three_rivals(workers, servers, rows, 3, touched)[name].total
        assert np.array_equal(run.table, expected), name
    assert not replace(runs["server"], predicted=runs["gather"].predicted).exact or workers == 1


def test_half_the_bytes_at_two_workers_as_many_at_three():
    for workers, ratio in ((2, 0.5), (3, 1.0), (5, 2.0)):
        step = SparseStep(40, 2, 6, workers)
        assert run_rival("gather", step).total == ratio * run_rival("server", step).total


def test_in_processes_too():
    with ProcessWorld(3) as world:
        run = run_rival("server", SparseStep(31, 2, 9, 2), world=lambda ranks: _Kept(world))
    assert run.exact


class _Kept:
    """A world that is closed by its owner."""

    def __init__(self, world):
        self.run = world.run


def test_the_counted_bytes_change_sides_where_the_formula_says():
    points = sweep_crossover(workers=4, rows=(60, 120), dims=(1, 5), shares=(0.1, 1.0),
                             views=("totals", "busiest", "direction", "gather"))
    assert all(point.exact for point in points)
    flips = 0
    for point in points:
        fraction = cost.crossover_fraction(4, point.dim, 8, 1, point.view)
        if point.touched < point.rows:                  # rows that are all touched travel without keys
            assert point.ring_wins == (point.fraction > fraction), point
            flips += point.touched == cost.crossover_rows(point.rows, 4, point.dim, 8, 1, point.view)
    assert flips == 2 * 2 * 4, "each size, row length and view has the first row at which the ring wins"
    fewer = sweep_crossover(workers=4, rows=(60,), dims=(1,), shares=(0.1,), at_flip=False)
    assert [point.touched for point in fewer] == [6]


# ---- hot rows -------------------------------------------------------------------------------------------------------

ZIPF = np.arange(1, 2001) ** -1.1
STREAMS = [np.random.default_rng(rank).choice(2000, (6, 100), p=ZIPF / ZIPF.sum()) for rank in range(2)]


def test_hot_rows_end_where_rows_on_servers_do_and_every_byte_is_predicted():
    base = run_hot(STREAMS, rows=2000, dim=4, hot=0)
    best = cost.hot_split(ZIPF / ZIPF.sum(), 2, 100, 16).hot
    for hot in (best, 1, 300):
        split = run_hot(STREAMS, rows=2000, dim=4, hot=hot, servers=2)
        assert split.counted_bytes == split.predicted_bytes
        assert np.array_equal(split.rows, base.rows)
    assert base.rows.any()
    assert base.counted_bytes == base.predicted_bytes == 2 * base.tail_rows * 24
    assert base.tail_rows < base.lookups


def test_the_gain_counted_is_the_small_one_the_formula_tells():
    split = cost.hot_split(ZIPF / ZIPF.sum(), 2, 100, 16)
    base, hot = (run_hot(STREAMS, rows=2000, dim=4, hot=h).counted_bytes for h in (0, split.hot))
    gain = 1 - hot / base
    assert 0 < gain < 0.25
    assert gain == pytest.approx(split.gain, abs=0.02)
    assert split.naive_gain > 1.7 * split.gain


# ---- the square -----------------------------------------------------------------------------------------------------

TASK = Logistic.made(60, 6, seed=2)


@pytest.mark.parametrize("way", ["delayed", "local"])
def test_four_corners_of_two_choices(way):
    pace = Pace.transient(1e-3, 0.3, 6, seed=1)
    corners = two_by_two(TASK, pace, workers=3, steps=16, lr=0.5, way=way, local_steps=4)
    bsp, asp, ring, late = corners
    assert [(c.architecture, c.consistency) for c in corners] == [
        ("server", "synchronous"), ("server", "asynchronous"), ("all-reduce", "synchronous"),
        ("all-reduce", "asynchronous")]
    assert bsp.loss == pytest.approx(ring.loss, rel=1e-6), "synchronous is synchronous, wherever the bytes go"
    assert bsp.seconds == pytest.approx(ring.seconds, rel=0.05)
    longest_s = pace.table(3, 16).sum(axis=1).max()
    for waits, free in ((bsp, asp), (ring, late)):
        assert longest_s <= free.seconds < 0.95 * waits.seconds
        assert free.waited < waits.waited
        assert (waits.late, free.late > 0) == (0, True)
    assert bsp.total_bytes == asp.total_bytes == 16 * 2 * 3 * 6 * 4
    assert ring.total_bytes == 16 * cost.ring_all_reduce(6, 3).total
    assert late.total_bytes == (ring.total_bytes if way == "delayed" else ring.total_bytes // 4)


@pytest.mark.parametrize(("call", "words"), [
    (lambda: two_by_two(TASK, Pace.equal(1e-3), way="gossip"), "way='gossip'; allowed: 'delayed', 'local'"),
    (lambda: two_by_two(TASK, Pace.equal(1e-3), steps=0), "steps=0; a whole number from 1"),
    (lambda: run_rival("ring", SparseStep(4, 1, 1, 2)), "name='ring'; allowed: allreduce, server, gather"),
    (lambda: SparseStep(4, 1, 5, 2), "touched=5; unique rows can be at most rows=4"),
    (lambda: SparseStep(4, 0, 1, 2), "dim=0; a whole number of at least 1"),
    (lambda: sweep_crossover(views=("colocated",)), "those that are counted here: totals, busiest, direction, gather"),
    (lambda: run_hot([], rows=4, dim=1, hot=0), "streams must hold an array"),
    (lambda: run_hot([np.zeros((1, 1))], rows=4, dim=1, hot=5), "hot=5; a whole number from 0 to rows=4"),
    (lambda: run_hot([np.full((1, 1), 9)], rows=4, dim=1, hot=0), "ids outside 0..3")])
def test_what_cannot_run_is_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()
