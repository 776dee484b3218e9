"""The Gantt chart of modes: bars where a run computed and waited, its twin, the diamond, bad input."""

import math

import numpy as np
import pytest
from matplotlib.colors import to_hex

from pslab import viz
from pslab.comm import Link, SimWorld
from pslab.ps import ASP, BSP
from pslab.train import Pace, Quadratic, run_race, schedule

SECONDS = np.array([[1.0, 1.0, 1.0], [1.0, 2.0, 1.0]])


def bars(picture) -> dict:
    """{(what, lane): [(from, to), ...]} as drawn."""
    found = {}
    for collection in picture.figure.axes[0].collections:
        what, _, lane = (collection.get_gid() or "").rpartition(" ")
        edges = [path.get_extents() for path in collection.get_paths()]
        found[what.split(":")[-1].strip(), lane] = [(round(box.x0, 6), round(box.x1, 6)) for box in edges]
    return found


def test_a_schedule_is_drawn_where_it_computes_and_waits():
    picture = viz.gantt({"BSP": schedule(SECONDS, 0), "ASP": schedule(SECONDS, math.inf)})
    drawn = bars(picture)
    assert drawn["steps 0, 2, 4, …", "0"] == [(0, 1), (3, 4)]
    assert drawn["steps 1, 3, 5, …", "0"] == [(1, 2)]
    assert drawn["waits", "0"] == [(2, 3)]
    assert drawn["steps 1, 3, 5, …", "1"] == [(1, 3)]
    assert drawn["waits", "1"] == drawn["waits", "2.6"] == []
    assert drawn["steps 0, 2, 4, …", "2.6"] == [(0, 1), (2, 3)]       # ASP's worker 0: no waiting
    assert [row[:2] + row[3:] for row in picture.table.rows] == \
        [["BSP", 0, 3, 1], ["BSP", 1, 4, 0], ["ASP", 0, 3, 0], ["ASP", 1, 4, 0]]


def test_a_race_is_drawn_from_its_steps_and_its_target_is_marked():
    race = run_race(Quadratic([1.0]), Pace.speeds([1, 0.5], 0.01), lr=0.5, horizon_s=0.1,
                    modes={"BSP": BSP(), "ASP": ASP()}, world=lambda n: SimWorld(n, link=Link(0, 0, math.inf)))
    reached = {"BSP": 0.06, "ASP": math.inf}
    picture = viz.gantt(race, reached=reached, target="there")
    rows = {(row[0], row[1]): row for row in picture.table.rows}
    assert picture.table.columns[-1] == "reached (ms)"
    assert (rows["BSP", 0][-1], rows["ASP", 0][-1]) == ("60", "")
    for name, lane in race.items():
        for worker in range(2):
            assert rows[name, worker][2] == lane.counts[worker]
            assert rows[name, worker][4] == pytest.approx(1e3 * lane.waits_s[worker])
    marks = [line for line in picture.figure.axes[0].lines if line.get_gid() == "reached"]
    assert [line.get_xdata()[0] for line in marks] == [60.0]
    assert "there" in [text.get_text() for text in picture.figure.legends[0].get_texts()]


def test_until_cuts_what_comes_later_and_only_that():
    plan = schedule(SECONDS, 0)
    picture = viz.gantt({"BSP": plan}, until_s=2.5)
    assert bars(picture)["waits", "0"] == [(2, 2.5)]
    assert bars(picture)["steps 1, 3, 5, …", "1"] == [(1, 2.5)]
    assert picture.table.rows == [["BSP", 0, 2, 2, 0.5], ["BSP", 1, 2, 2.5, 0]]
    words = [text.get_text() for text in picture.figure.legends[0].get_texts()]
    assert words[-1] == "waits"
    none = viz.gantt({"ASP": schedule(SECONDS, math.inf)})
    assert "waits" not in [text.get_text() for text in none.figure.legends[0].get_texts()]


def test_the_two_kinds_of_steps_differ_in_grey():
    from matplotlib.colors import to_rgb

    from pslab.viz.gantt import _EVEN, _ODD, _WAIT
    shades = [to_rgb(what[1])[0] for what in (_EVEN, _ODD, _WAIT)]
    assert shades == sorted(shades)
    assert min(b - a for a, b in zip(shades, shades[1:])) > 0.25
    assert to_hex(_EVEN[1]) == _EVEN[1]


@pytest.mark.parametrize(("call", "words"), [
    (lambda: viz.gantt({}), "one step at least"),
    (lambda: viz.gantt({"a": [[], []]}), "one step at least"),
    (lambda: viz.gantt({"a": [[(0, 1, 1)]]}, until_s=0), "until_s=0"),
    (lambda: viz.gantt({"a": [[(0, 1, 1)]]}, reached={"b": 1}), "reached names 'b'"),
])
def test_bad_input_is_named(call, words):
    with pytest.raises(ValueError, match=words):
        call()
