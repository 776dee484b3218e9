"""Pictures of a terabyte: their numbers are the cost model's and the caches', and every control moves them."""

import numpy as np
import pytest

from pslab import cost, viz
from pslab.embedding import LRU


@pytest.mark.parametrize(("dedup", "consistency", "rows", "gradients"), [
    (False, "stale", 201, 1342), (True, "bsp", 241, 241), (True, "stale", 201, 241), (False, "bsp", 241, 1342)])
def test_the_numbers_are_those_of_the_claims(dedup, consistency, rows, gradients):
    found = viz.terabyte_bytes(5000, "chapter", dedup, consistency)
    assert (round(found["rows"]), round(found["gradients"]), round(found["naive"])) == (rows, gradients, 1342)
    assert found["hit rate"] == pytest.approx(1 - found["rows"] / found["naive"])


def test_a_slider_is_as_exact_as_the_model():
    law = cost.zipf_popularity(1.1, 2_000_000_000)
    for consistency in ("bsp", 4, "stale"):
        exact = cost.chapter_step(100_000, True, consistency, popularity=law).fetch_bytes / 1e6
        assert viz.terabyte_bytes(100_000, 1.1, True, consistency)["rows"] == pytest.approx(exact, 1e-4)
    assert round(viz.terabyte_bytes(5000, 1.1, False, "stale")["hit rate"], 3) == 0.671


def test_the_picture_draws_its_numbers():
    picture = viz.terabyte(5000, "chapter", True, 4)
    found = viz.terabyte_bytes(5000, "chapter", True, 4)
    bars = [bar.get_height() for bar in picture.figure.axes[1].patches]
    assert bars == pytest.approx([found["naive"], found["rows"], found["gradients"]])
    mark = picture.figure.axes[0].lines[-1]
    assert [mark.get_xdata()[0], mark.get_ydata()[0]] == pytest.approx([5000, found["rows"]])
    lines = {line.get_label(): line.get_ydata() for line in picture.figure.axes[0].lines[:4]}
    assert lines["equal ids once, exact"] == pytest.approx(np.full(8, 240.614), rel=1e-4)      # a flat line
    assert f"{found['rows']:.0f} MB" in picture.title
    assert picture.table.rows[-1][:2] == ["chosen", found["rows"]]
    assert picture.table.rows[0][1] == pytest.approx(201.33, abs=0.01)


def test_every_control_moves_the_picture():
    widget = viz.terabyte_widget()
    for name, value in (("capacity", 100), ("exponent", 1.1), ("dedup", True), ("consistency", "bsp")):
        control = {"capacity": 0, "exponent": 1, "dedup": 2, "consistency": 3}[name]
        before = widget.picture.table.rows
        widget.children[control].value = value
        assert widget.picture.table.rows != before, name
    chosen = viz.terabyte_bytes(100, 1.1, True, "bsp")["rows"]
    assert widget.picture.table.rows[-1][1] == chosen


def test_the_two_budgets_lever_by_lever():
    found = viz.terabyte_budgets()
    assert list(found["memory (GB)"].values()) == [1024, 3072, 1032, 272, 136, 5.12]
    assert [round(v, 1) for v in found["wire (MB)"].values()] == [1342.2, 1258.3, 225.6, 188.7, 50.1]
    exact = viz.terabyte_budgets(consistency="bsp")["wire (MB)"]
    assert exact["cache of 5,000"] == exact["equal ids once"] == found["wire (MB)"]["equal ids once"]
    assert viz.terabyte_budgets(100)["wire (MB)"]["cache of 100"] > 200
    picture = viz.budgets()
    right = picture.figure.axes[1]
    ends = [bar.get_x() + bar.get_width() for bar in right.patches]
    wire = list(found["wire (MB)"].values())
    assert ends == pytest.approx([*wire, *wire[:-1]])                   # what a lever took away ends where it began
    assert [row[2] for row in picture.table.rows] == [*found["memory (GB)"].values(), *wire]


def test_hit_rates_are_those_of_the_policies():
    ids = np.array([1, 2, 1, 3, 1, 2, 4, 1, 2, 3, 3, 1])
    found = viz.cache_hit_rates(ids, [1, 2, 10])
    for at, capacity in enumerate((1, 2, 10)):
        assert found["LRU"][at] == pytest.approx(LRU(capacity).access_all(ids).mean())
        assert found["Belady"][at] >= max(found["LRU"][at], found["LFU"][at])
    assert found["top-k"] == pytest.approx([5 / 12, 8 / 12, 1])
    assert found["Belady"][2] == found["LFU"][2] == pytest.approx(8 / 12)       # four compulsory misses
    assert list(viz.cache_hit_rates(ids, [2], ["LFU"])) == ["LFU"]


def test_a_course_of_its_own_beats_hindsight():
    """Who comes, stays and leaves: five rows of LRU catch nearly all, the best fixed five nearly nothing."""
    ids = np.repeat(np.arange(100), 30)
    picture = viz.cache_curves({"users": ids}, (5, 20))
    rows = {policy: values for _, policy, *values in picture.table.rows}
    assert rows["LRU"] == pytest.approx([29 / 30, 29 / 30])
    assert rows["top-k"] == pytest.approx([0.05, 0.2])
    assert viz.cache_curves({"users": ids}, (5,), lookups=60).table.rows[0][2] == pytest.approx(58 / 60)


def test_a_flatter_law_leaves_less_to_catch():
    picture = viz.cache_by_exponent(50, (0.5, 1.0, 1.5), rows=1000, lookups=4000)
    assert all(a < b for name in ("LRU", "LFU", "Belady", "top-k")
               for a, b in zip(picture.table.column(name), picture.table.column(name)[1:]))
    assert viz.cache_by_exponent(50, (0.5,), rows=1000, lookups=4000, seed=1).table.rows != [picture.table.rows[0]]


@pytest.mark.parametrize(("call", "words"), [
    (lambda: viz.terabyte_bytes(exponent="steep"), "exponent='steep'; a number from 0, or 'chapter'"),
    (lambda: viz.terabyte_bytes(-1), "capacity=-1"),
    (lambda: viz.cache_hit_rates([], [1]), "ids is empty"),
    (lambda: viz.cache_hit_rates([1], [0]), r"capacities=\[0\]; whole numbers from 1"),
    (lambda: viz.cache_hit_rates([1], [1], ["MRU"]), r"policies=\['MRU'\]; allowed"),
    (lambda: viz.cache_curves({}), "streams is empty"),
    (lambda: viz.cache_by_exponent(exponents=()), "exponents is empty")])
def test_what_cannot_be_drawn_is_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()
