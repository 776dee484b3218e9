"""Rounds with stragglers: the closed form against drawn rounds, scipy and a schedule; the picture and its controls."""

import numpy as np
import pytest
from scipy.stats import binom

from pslab import viz
from pslab.train import Pace, backup_rounds, schedule
from pslab.viz.rounds import K_MAX


def test_a_hundred_workers_and_one_per_cent_are_slow_in_two_rounds_of_three():
    assert round(100 * viz.slow_rounds(100, 0.01), 1) == 63.4
    assert round(viz.round_time(100, 0.01, 2), 2) == 1.63
    assert viz.slow_rounds(100, 0.01) == pytest.approx(1 - 0.99**100)


@pytest.mark.parametrize("K", [1, 2, 7, 100, 256])
@pytest.mark.parametrize("backup", [0, 1, 5])
def test_the_closed_form_is_scipys_tail_and_what_is_drawn(K, backup):
    if backup >= K:
        with pytest.raises(ValueError, match="backup="):
            viz.slow_rounds(K, 0.1, backup)
        return
    for p in (0.0, 0.01, 0.3, 1.0):
        assert viz.slow_rounds(K, p, backup) == pytest.approx(binom.sf(backup, K, p), abs=1e-12)
    assert viz.round_time(K, 0.02, 3, backup) == pytest.approx(viz.drawn_rounds(K, 0.02, 3, backup, seed=1), abs=0.15)


def test_a_drawn_round_is_the_order_statistic_of_the_library():
    seconds = Pace.transient(1.0, 0.05, 4, seed=3).table(20, 3_000)
    assert schedule(seconds, 0).makespan_s / 3_000 == pytest.approx(viz.round_time(20, 0.05, 4), rel=0.03)
    assert backup_rounds(seconds, 2)[0].mean() == pytest.approx(viz.round_time(20, 0.05, 4, 2), rel=0.03)
    assert viz.drawn_rounds(20, 0.05, 4, 2, seed=1) != viz.drawn_rounds(20, 0.05, 4, 2, seed=2)
    assert viz.drawn_rounds(20, 0.05, 4, 2, rounds=1) in (1.0, 4.0)


def test_the_picture_says_what_was_computed():
    picture = viz.rounds(K=100, probability=0.01, slowdown=2, backup=4)
    assert [row[0] for row in picture.table.rows] == ["wait for all", "wait for all but 4"]
    assert [row[2] for row in picture.table.rows] == [viz.round_time(100, 0.01, 2), viz.round_time(100, 0.01, 2, 4)]
    assert [row[4] for row in picture.table.rows] == [round((100 - b) / viz.round_time(100, 0.01, 2, b), 2)
                                                      for b in (0, 4)]
    left, right = picture.figure.axes
    lines = {line.get_label(): line for line in left.lines if not line.get_label().startswith("_")}
    assert lines["wait for all"].get_ydata()[99] == viz.round_time(100, 0.01, 2)
    dots = next(line for line in left.lines if line.get_gid() == "drawn 4")
    at = list(dots.get_xdata()).index(64)
    assert dots.get_ydata()[at] == viz.drawn_rounds(64, 0.01, 2, 4, seed=0)
    assert [bar.get_height() for bar in right.patches] == pytest.approx(
        [100, 100 / viz.round_time(100, 0.01, 2), 96 / viz.round_time(100, 0.01, 2, 4)])
    assert len(viz.rounds(K=100).table.rows) == 1
    assert viz.rounds(seed=1).table.rows != viz.rounds(seed=2).table.rows


def test_every_control_changes_the_picture():
    box = viz.rounds_widget(seed=3)
    controls = {child.description: child for child in box.children if hasattr(child, "min")}
    assert len(controls) == 4
    before = box.picture.text
    for name, value in (("workers K", 64), ("slow, chance", 0.05), ("times as long", 4.0), ("backup b", 3)):
        controls[name].value = value
        assert box.picture.text != before, name
        before = box.picture.text
    assert before == viz.rounds(64, 0.05, 4.0, 3, seed=3).text
    assert controls["backup b"].max < controls["workers K"].min          # no setting is refused
    assert np.isfinite(viz.round_time(K_MAX, 0.1, 10, 15))


@pytest.mark.parametrize(("call", "words"), [
    (lambda: viz.slow_rounds(0, 0.1), "K=0"),
    (lambda: viz.slow_rounds(K_MAX + 1, 0.1), f"K={K_MAX + 1}"),
    (lambda: viz.slow_rounds(4, 1.5), "probability=1.5"),
    (lambda: viz.round_time(4, 0.5, 0.5), "slowdown=0.5"),
    (lambda: viz.rounds(K=8, backup=8), "backup=8"),
])
def test_bad_input_is_named(call, words):
    with pytest.raises(ValueError, match=words):
        call()
