"""Staleness and stragglers: what is drawn is what the runs took, and each control moves the picture."""

import math

import pytest

from pslab import viz
from pslab.train import Pace, Quadratic, replay, schedule
from pslab.viz.staleness import KINDS, RATES, STALENESS, STEPS, TARGET, WORKERS, named

INF = math.inf


def settled(kind, s, slow, lr):
    """From when on the loss is at most TARGET, by a run of its own; and the time of all steps."""
    pace = Pace.persistent(1.0, 2, slow) if kind == "persistent" else Pace.transient(1.0, 0.1, slow, 2)
    plan = schedule(pace.table(WORKERS, STEPS), s)
    curve = replay(Quadratic([0.05, 0.2, 1.0]), plan, lr)
    found = INF
    for time_s, loss in reversed(list(zip(curve.times_s, curve.losses))):
        if not loss <= TARGET:
            break
        found = time_s
    return found, plan.makespan_s


@pytest.mark.parametrize(("slow", "lr"), [(4, 0.3), (2, 1.8)])
def test_every_cell_is_a_run(slow, lr):
    runs = viz.staleness_runs(slow, lr)
    assert set(runs) == {(kind, s) for kind in KINDS for s in STALENESS}
    for (kind, s), row in runs.items():
        assert (row["to_target_s"], row["makespan_s"]) == settled(kind, s, slow, lr), (kind, s)


def test_what_the_chapter_says_of_the_cells():
    spans = {kind: [viz.staleness_runs(4, 0.3)[kind, s]["makespan_s"] for s in STALENESS] for kind in KINDS}
    assert set(spans["persistent"]) == {4.0 * STEPS}                    # no s helps
    assert spans["transient"] == sorted(spans["transient"], reverse=True)
    bold = {s: viz.staleness_runs(2, 1.8)["transient", s]["to_target_s"] for s in STALENESS}
    assert bold[0] > bold[1] < bold[4] < bold[INF] < INF                # a little slack, and not too much
    even = [viz.staleness_runs(1, 1.8)["persistent", s]["to_target_s"] for s in STALENESS]
    assert even[0] < INF
    assert even[1:] == [INF] * 5                                        # a rate that stale gradients do not stand


def test_the_picture_has_both_kinds_and_the_chosen_cell():
    picture = viz.staleness(4, "persistent", 4, 0.3)
    left, right = picture.figure.axes
    assert [text.get_text() for text in left.get_xticklabels()] == ["0", "1", "2", "4", "8", "∞"]
    lines = {line.get_label(): list(line.get_ydata()) for line in left.lines}
    for column, kind in enumerate(KINDS, start=1):
        times = [viz.staleness_runs(4, 0.3)[kind, s]["to_target_s"] for s in STALENESS]
        assert lines[kind] == times
        assert [row[column] for row in picture.table.rows] == [round(time, 1) for time in times]
    ring = left.lines[-1]
    assert (list(ring.get_xdata()), list(ring.get_ydata())) == ([3], [lines["persistent"][3]])
    assert [text.get_text() for text in right.get_legend().get_texts()] == ["s = 0", "s = 4"]
    assert viz.staleness(0).figure.axes[1].lines[0].get_label() == "s = 0"


def test_who_never_gets_there_is_shown_as_such():
    picture = viz.staleness(INF, "transient", 1, 1.8)
    left = picture.figure.axes[0]
    assert [text.get_text() for text in left.texts] == ["never"] * 10
    assert picture.table.rows[-1][1:3] == ["never", "never"]
    assert all(left.get_ylim()[1] > line.get_ydata()[0] for line in left.lines if len(line.get_ydata()) == 1)


def test_every_control_moves_the_picture():
    widget = viz.staleness_widget()
    controls = {child.description: child for child in widget.children if hasattr(child, "description")}
    image = next(child for child in widget.children if hasattr(child, "format"))
    for name, value in (("s", 8), ("straggler", "persistent"), ("slow by", 8), ("rate", 1.0)):
        before = image.value, widget.picture.title
        controls[name].value = value
        assert image.value != before[0], name
        assert widget.picture.title != before[1], name
    assert widget.picture.title == "persistent straggler, slow steps 8× as long, rate 1.0, s = 8"
    assert [label for label, _ in controls["s"].options] == [named(s) for s in STALENESS]


@pytest.mark.parametrize(("settings", "words"), [
    ({"s": 3}, "s=3; allowed: 0, 1, 2, 4, 8, ∞"), ({"kind": "slow"}, "kind='slow'; allowed: persistent, transient"),
    ({"slow": 3}, "slow=3; allowed: 1, 2, 4, 8"), ({"lr": 2}, f"lr=2; allowed: {', '.join(map(str, RATES))}")])
def test_what_was_not_run_is_refused(settings, words):
    with pytest.raises(ValueError, match=words):
        viz.staleness(**settings)
