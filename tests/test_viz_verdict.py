"""Pictures of the verdict: they draw the numbers that were counted, and say so where a count is not as predicted."""

from dataclasses import replace

import pytest

from pslab import cost, viz
from pslab.train import Actor, Logistic, Pace, run_actors, sweep_crossover, two_by_two


@pytest.fixture(scope="module")
def points():
    return sweep_crossover(workers=2, rows=(60,), dims=(1, 4), shares=(0.1, 0.9))


def test_the_crossover_draws_its_points_and_flips_where_the_formula_says(points):
    picture = viz.verdict_crossover(points)
    axes = picture.figure.axes[0]
    marks = {line.get_label(): line for line in axes.lines if "flips" in line.get_label()}
    for dim in (1, 4):
        flip = cost.crossover_fraction(2, dim, 8)
        line = marks[f"D = {dim}: flips at {100 * flip:.1f} %"]
        mine = [p for p in points if p.dim == dim]
        assert line.get_xdata() == pytest.approx([100 * p.touched / 60 for p in mine])
        assert line.get_ydata() == pytest.approx([p.sparse / p.dense for p in mine])
    assert [row[3:5] for row in picture.table.rows] == [[p.dense, p.sparse] for p in points]
    assert "all as predicted" in picture.title
    assert "NOT" not in picture.title
    off = viz.verdict_crossover([replace(points[0], exact=False), *points[1:]])
    assert "NOT all" in off.title
    assert off.table.rows[0][-1] == "NO"


def test_a_view_that_was_not_counted_is_refused(points):
    with pytest.raises(ValueError, match="view='gather'; counted holds totals"):
        viz.verdict_crossover(points, "gather")


def test_the_chart_of_choices_marks_the_binding_question():
    picture = viz.verdict_choices()
    cases = cost.CHOICE_CASES
    marks = [line for line in picture.figure.axes[0].lines if line.get_marker() in "osD" and len(line.get_xdata()) == 1]
    at = {int(line.get_ydata()[0]): int(line.get_xdata()[0]) for line in marks}
    assert at == {y: ["capacity", "elastic", "straggler", "bytes"].index(case.binding) for y, case in enumerate(cases)}
    names = {"allreduce": "all-reduce", "gather": "sparse all-gather", "server": "server"}
    assert [row[:3] for row in picture.table.rows] == [[c.name, names[c.architecture], c.binding] for c in cases]
    assert len(viz.verdict_choices(cases[:1]).table.rows) == 1
    with pytest.raises(ValueError, match="cases is empty"):
        viz.verdict_choices([])


def test_the_square_draws_time_and_waiting():
    corners = two_by_two(Logistic.made(40, 4, seed=1), Pace.persistent(1e-3, 0, 3), workers=2, steps=4)
    picture = viz.verdict_square(corners)
    for axes, corner in zip(picture.figure.axes, corners):
        widths = [bar.get_width() for bar in axes.patches]
        assert sum(widths) == pytest.approx(1e3 * corner.seconds)
        assert widths[1] == pytest.approx(1e3 * corner.seconds * corner.waited)
    assert [row[7] for row in picture.table.rows] == [corner.total_bytes for corner in corners]
    with pytest.raises(ValueError, match="corners has 3 runs"):
        viz.verdict_square(corners[:3])


def test_the_lags_of_actors():
    runs = [run_actors(way, [Actor(), Actor(episode_s=0.2)], parameters=100, horizon_s=1.0) for way in
            ("server", "broadcast")]
    picture = viz.verdict_actors(runs)
    drawn = [list(line.get_ydata()) for line in picture.figure.axes[0].lines[:2]]
    assert drawn == [run.lags() for run in runs]
    assert [row[:3] for row in picture.table.rows] == [[r.way, r.versions, len(r.episodes)] for r in runs]
    with pytest.raises(ValueError, match="one or more"):
        viz.verdict_actors([])


def figures():
    def point(K, strategy, rows, **more):
        model = {"busiest_bytes": 1000 * K, "seconds": 0.01 * K, "samples_per_s": 100.0 * K}
        return {"rows": rows, "K": K, "S": 2, "strategy": strategy, "model": model, **more}

    ran = {"step_s": 0.02, "samples_per_s": 50.0, "busiest_bytes": 999.0, "state_bytes": {"worker": 8, "server": 4},
           "losses": [0.7, 0.6]}
    points = [point(K, s, 100, **ran) for K in (1, 2) for s in ("hybrid", "server")]
    points.append(point(2, "allreduce", 100, not_run="9.0 GB of replicas, 1.0 GB allowed"))
    model = [{"rows": 100, "K": K, "strategy": s, "busiest_bytes": 1000 * K, "seconds": 1, "samples_per_s": 1}
             for K in (2, 64) for s in ("hybrid", "server", "allreduce")]
    return {"setting": {"servers": 2, "dim": 8, "batch": 64, "gbit_s": 1.0}, "points": points, "model": model}


def test_the_benchmark_s_picture():
    picture = viz.verdict_bench(figures())
    left = picture.figure.axes[0]
    lines = {tuple(line.get_xdata()) for line in left.lines}
    assert lines == {(2, 64), (1, 2), ()}, "the model's line, the measured marks, and none for what was not run"
    assert [row[3] for row in picture.table.rows] == [999, 999, 999, 999, "9.0 GB of replicas, 1.0 GB allowed"]
    with pytest.raises(ValueError, match="no job that was run"):
        viz.verdict_bench({**figures(), "points": figures()["points"][-1:]})
