"""Rows that a batch touches, and rows that a rule moves: the numbers are those of the laws, streams and runs."""

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from pslab import cost, viz
from pslab.data import zipf


def test_expected_rows_are_those_of_the_law_and_of_drawn_batches():
    found = viz.touched_rows(1.0, 10_000, 2048, dim=16)
    law = np.arange(1, 10_001) ** -1.0
    law /= law.sum()
    assert found["distinct"] == pytest.approx(float((1 - (1 - law) ** 2048).sum()), rel=1e-4)
    drawn = [len(np.unique(zipf(1.0, 10_000, 2048, seed))) for seed in range(30)]
    assert found["distinct"] == pytest.approx(np.mean(drawn), rel=0.01)
    assert found["of lookups"] == found["distinct"] / 2048
    assert found["of the table"] == found["distinct"] / 10_000
    assert (found["dense"], found["naive"], found["once"]) == (640_000, 2048 * 72, found["distinct"] * 72)
    assert viz.touched_rows(0, 7, 1)["distinct"] == pytest.approx(1)


def test_the_picture_draws_its_numbers():
    picture = viz.touched(1.2, 50_000, 1024, 32)
    left, right = picture.figure.axes
    found = viz.touched_rows(1.2, 50_000, 1024, 32)
    assert [bar.get_height() for bar in right.patches] == pytest.approx([found["naive"] / 1e3, found["once"] / 1e3])
    mark = left.lines[-1]
    assert (mark.get_xdata()[0], mark.get_ydata()[0]) == (1024, pytest.approx(100 * found["of lookups"]))
    chosen = {line.get_label(): line for line in left.lines}["Zipf(1.2)"]
    assert dict(zip(chosen.get_xdata(), chosen.get_ydata()))[1024] == mark.get_ydata()[0]
    assert picture.table.column("distinct rows")[0] == found["distinct"]
    assert picture.table.note == "the whole table: 6.4 MB"


def test_every_control_moves_the_picture():
    widget = viz.touched_widget()
    for control, value in enumerate((1.4, 10_000, 1024, 8)):
        before = widget.picture.table.text
        widget.children[control].value = value
        assert widget.picture.table.text != before, control
    assert widget.picture.table.rows[0][1] == viz.touched_rows(1.4, 10_000, 1024, 8)["distinct"]


def test_distinct_rows_are_means_over_whole_batches():
    assert viz.distinct_rows([1, 1, 2, 3, 3, 3, 9], (2, 3, 7)) == [pytest.approx(4 / 3), pytest.approx(1.5), 4]
    for bad in (0, 8, True):
        with pytest.raises(ValueError, match="sizes="):
            viz.distinct_rows([1, 1, 2, 3, 3, 3, 9], (bad,))


@pytest.mark.parametrize("exponent", [0.0, 0.7, 1.3])
def test_a_fitted_exponent_is_the_one_that_made_the_counts(exponent):
    counts = np.round(200_000 * cost.zipf_popularity(exponent, 60).probability).astype(int)
    ids = np.random.default_rng(0).permutation(np.repeat(np.arange(60) * 7, counts))
    assert viz.fitted_exponent(ids) == pytest.approx(exponent, abs=2e-3)


def test_streams_show_bursts_avoidance_and_independence():
    bursts, taking_turns = np.repeat(np.arange(40), 20), np.tile(np.arange(40), 20)
    picture = viz.touched_streams({"bursts": bursts, "turns": taking_turns}, (20, 400))
    rows = {tuple(row[:2]): row[2:] for row in picture.table.rows}
    assert rows["bursts", "in its order"] == [1, "-"]           # of 400 there are no four batches
    assert rows["turns", "in its order"] == [20, "-"]
    expected = round(40 * (1 - (1 - 1 / 40) ** 20), 1)
    assert rows["bursts", "order forgotten"] == rows["turns", "order forgotten"] == [expected, "-"]
    assert rows["turns", "Zipf(0.00)"] == [expected, "-"]
    lines = {line.get_label(): line.get_ydata() for line in picture.figure.axes[0].lines}
    assert lines["in its order"] == pytest.approx([5.0])        # 1 of 20, in per cent
    with pytest.raises(ValueError, match="a quarter of them"):
        viz.touched_streams({"short": [1, 2, 3]}, (16,))


def test_moved_rows_draws_and_counts_each_kind():
    named = np.array([[0, 1, 0], [1, 0, 0]], bool)
    picture = viz.moved_rows({"lazy": (named, named), "dense": (named | [0, 1, 0], named)})
    assert picture.table.rows == [["lazy", 2, 2, 0], ["dense", 2, 3, 1]]
    image = picture.figure.axes[1].images[0].get_array()        # rows by first look-up: 1, then 0, then 2
    blue, amber = (to_rgb(viz.LOOKS[name].color) for name in ("allreduce", "amber"))
    assert [[tuple(color) == kind for color in row] for row, kind in ((image[0], blue), (image[0], amber))] == [
        [True, False], [False, True]]
    assert tuple(image[1][1]) == blue
    assert tuple(image[2][0]) not in (blue, amber)
    with pytest.raises(ValueError, match="two equal ones"):
        viz.moved_rows({"a": (named, named.T)})
