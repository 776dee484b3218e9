"""Two sizes of one style, units on every axis, a text twin of every picture, colours that stay apart."""

import io
import itertools
import re
from functools import cache

import matplotlib
import numpy as np
import pytest
from matplotlib import colors
from matplotlib import image as mpl_image
from matplotlib.patches import FancyBboxPatch
from matplotlib.text import Text

from pslab import viz
from pslab.comm import SimWorld
from pslab.comm.ledger import Ledger
from pslab.comm.trace import Event, Span, Trace
from pslab.cost import CHOICE_CASES
from pslab.ps import ConsistentHash
from pslab.train import Actor, Pace, Quadratic, run_actors, schedule, sweep_crossover, two_by_two
from pslab.viz.timeline import DOINGS

TRACE = Trace(3, [Event(0, 1, "tensor", "0", 2_500, 0.0, 1e-6, 3e-6, 8e-6, 8e-6),
                  Event(1, 2, "mail", "push", 500, 0.0, 8e-6, 9e-6, 14e-6, 20e-6)],
              [Span(0, "compute", 0.0, 1e-6), Span(2, "wait", 0.0, 14e-6), Span(1, "sleep", 0.0, 5e-6)])
LEDGER = Ledger(3)
LEDGER.add(0, 2, "vals", 70)
LEDGER.add(2, 1, "vals", 50)
BOXES = [viz.Box("group", "a group of\nparameters", (0, 1)),
         viz.Box("fits", "fits on a worker,\nwith its state?", (1, 1)),
         viz.Box("bytes", "which of three\nmoves least through\nthe busiest port?", (2, 1)),
         viz.Box("server", "parameter server", (2, 2), "server"), viz.Box("ring", "all-reduce", (3, 0), "allreduce"),
         viz.Box("gather", "sparse all-gather", (3, 1), "gather")]
MODEL = {"busiest_bytes": 4000, "seconds": 0.01, "samples_per_s": 100.0}
BENCH = {"setting": {"servers": 2, "dim": 8, "batch": 64, "gbit_s": 1.0},
         "points": [{"rows": rows, "K": 2, "strategy": name, "model": MODEL, "step_s": 0.02, "samples_per_s": 50.0 * k,
                     "busiest_bytes": 999.0 * k, "state_bytes": {"worker": 8}, "losses": [0.7]}
                    for rows in (100, 1000) for k, name in enumerate(("hybrid", "server", "allreduce"), 1)],
         "model": [{"rows": 1000, "K": K, "strategy": name, **MODEL, "busiest_bytes": 999 * k * K}
                   for k, name in enumerate(("hybrid", "server", "allreduce"), 1) for K in (2, 64)]}

# Every public function that returns a picture, called once.
PICTURES = {
    "algorithms": lambda: viz.algorithms(1 << 24, 64, 8),
    "bars": lambda: viz.bars(["dense", "sparse"], {"allreduce": [0.35, 89.6], "server": [1.6, 0.0168]}, unit="GB",
                             title="Busiest port", log=True),
    "busiest_link": lambda: viz.busiest_link(16, 4, 0.5),
    "budgets": viz.budgets,
    "cache_by_exponent": lambda: viz.cache_by_exponent(20, (0.6, 1.0, 1.4), 500, 2000),
    "cache_curves": lambda: viz.cache_curves({"users": [1, 1, 2, 3, 1] * 40, "items": list(range(60)) * 3}),
    "curve": lambda: viz.curve(list(range(2, 65)), {"ring": [2 - 2 / k for k in range(2, 65)],
                                                    "server": [k / 9 for k in range(2, 65)]}, log="x", mark=(8, "here"),
                               xlabel="workers K (count)", ylabel="bytes (GB)", title="Bytes"),
    "flow": lambda: viz.flow(BOXES, [("group", "fits", ""), ("fits", "bytes", "yes"), ("fits", "server", "no"),
                                     ("bytes", "ring", "dense ring"), ("bytes", "gather", "all-gather"),
                                     ("bytes", "server", "server")], title="Where it goes"),
    "gantt": lambda: viz.gantt({f"s = {s}": schedule(Pace.persistent(1.0, 1, 3).table(3, 6), s) for s in (0, 2)},
                               title="One worker slow"),
    "hash_ring": lambda: viz.hash_ring(ConsistentHash(3).bind(None, 3), ConsistentHash(3).bind(None, 4),
                                       keys=range(1, 11), names=["three servers", "a fourth comes"], title="Ring"),
    "links": lambda: viz.links(LEDGER, servers=1),
    "moved_rows": lambda: viz.moved_rows({name: (np.eye(5) + k > 0, np.eye(5))
                                          for k, name in enumerate(("lazy", "dense"))}),
    "patterns": lambda: viz.patterns({"gather": LEDGER, "all_to_all": LEDGER}),
    "push_bytes": viz.push_bytes,
    "ring_walk": viz.ring_walk,
    "rounds": lambda: viz.rounds(K=100, probability=0.01, slowdown=2, backup=4),
    "score_against_bytes": lambda: viz.score_against_bytes(
        {"float32": (12.0, 96.0), "top-k": [(0.1, 60.0), (0.2, 94.0)]}),
    "server_ports": lambda: viz.server_ports(K=16, S=4),
    "shards": viz.shards,
    "spacetime": lambda: viz.spacetime(TRACE),
    "staleness": viz.staleness,
    "step": lambda: viz.step(TRACE, 1, snapshots=[[], [(0.0, "b"), (8e-6, "a + b")], [(0.0, "c")]]),
    "terabyte": lambda: viz.terabyte(100_000, 1.05, True, 4),
    "timeline": lambda: viz.timeline(TRACE),
    "verdict_actors": lambda: viz.verdict_actors([run_actors(way, [Actor()], parameters=10, horizon_s=1.0)
                                                  for way in ("server", "broadcast")]),
    "verdict_bench": lambda: viz.verdict_bench(BENCH),
    "verdict_choices": lambda: viz.verdict_choices(CHOICE_CASES[:8]),
    "verdict_crossover": lambda: viz.verdict_crossover(sweep_crossover(workers=2, rows=(40,), shares=(0.2, 0.9))),
    "verdict_square": lambda: viz.verdict_square(two_by_two(Quadratic([1.0]), Pace.equal(1e-3), workers=2, steps=2)),
    "touched": viz.touched,
    "touched_streams": lambda: viz.touched_streams({name: range(400) for name in ("words", "films", "users", "clicks")},
                                                   (16, 64)),
}


@cache
def drawn(name, style="quiet"):
    """A picture of the table in one of the two sizes; drawn once for all tests, which only look at it."""
    with matplotlib.rc_context():
        viz.style(style)
        try:
            picture = PICTURES[name]()
            picture.png()
            return picture
        finally:
            viz.style()


def size_px(picture):
    height, width, _ = mpl_image.imread(io.BytesIO(picture.png())).shape
    return width, height


def visible_texts(picture):
    """Everything written in a picture; matplotlib also keeps labels of ticks that it does not draw."""
    hidden = set()
    for axes in picture.figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks()):
                if not axes.axison or not low <= tick.get_loc() <= high:
                    hidden |= {tick.label1, tick.label2}
    return [t for t in picture.figure.findobj(Text) if t.get_visible() and t.get_text().strip() and t not in hidden]


def test_every_drawing_function_is_in_this_table():
    drawing = {name for name in viz.__all__ if "-> Picture" in (viz.__dict__[name].__doc__ or "")
               or getattr(viz.__dict__[name], "__annotations__", {}).get("return") == "Picture"}
    assert drawing == set(PICTURES)


# ---- sizes --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PICTURES)
def test_on_a_stage_type_is_large_and_all_of_it_is_in_the_picture(name):
    picture = drawn(name, "stage")
    assert size_px(picture) == viz.STAGE_PX == (1280, 720)
    texts = visible_texts(picture)
    assert texts
    assert min(t.get_fontsize() for t in texts) >= 18
    for text in texts:
        box = text.get_window_extent()
        assert box.x0 >= 0, text
        assert box.y0 >= 0, text
        assert box.x1 <= 1280, text
        assert box.y1 <= 720, text


@pytest.mark.parametrize("name", PICTURES)
def test_on_a_stage_no_text_lies_on_another(name):
    boxes = [(t.get_text(), t.get_window_extent()) for t in visible_texts(drawn(name, "stage"))]
    on_top = [(a, b) for (a, one), (b, two) in itertools.combinations(boxes, 2)
              if min(one.x1, two.x1) - max(one.x0, two.x0) > 1 and min(one.y1, two.y1) - max(one.y0, two.y0) > 1]
    assert on_top == []


def test_on_a_stage_words_stay_in_their_boxes():
    picture = drawn("flow", "stage")
    axes = picture.figure.axes[0]
    frames = [p.get_window_extent() for p in axes.patches if isinstance(p, FancyBboxPatch)]
    words = [t.get_window_extent() for t in axes.texts[: len(BOXES)]]
    assert len(frames) == len(words) == 6
    for frame, text in zip(frames, words):
        assert frame.x0 < text.x0 < text.x1 < frame.x1
        assert frame.y0 < text.y0 < text.y1 < frame.y1


@pytest.mark.parametrize("name", PICTURES)
def test_the_twin_says_the_same_in_both_sizes(name):
    quiet = drawn(name)
    assert quiet.text == drawn(name, "stage").text
    assert size_px(quiet) != viz.STAGE_PX
    assert min(t.get_fontsize() for t in visible_texts(quiet)) < 18


def test_the_picture_of_the_demo_fits_a_stage(monkeypatch):
    from test_demo_words import SIZE, three

    from pslab.demo import modelled, words
    from pslab.demo.options import Options
    from pslab.demo.picture import draw
    monkeypatch.setenv("PSLAB_STYLE", "stage")
    measured = three()
    picture = draw(measured, modelled.lines(SIZE, 2), words.results(measured, Options()), "small print " * 9)
    assert size_px(picture) == viz.STAGE_PX
    assert min(t.get_fontsize() for t in visible_texts(picture)) >= 18
    assert max(t.get_window_extent().y1 for t in visible_texts(picture)) <= 720


def test_the_environment_chooses_and_a_call_overrules_it(monkeypatch):
    assert viz.style_name() == "quiet"
    monkeypatch.setenv("PSLAB_STYLE", "stage")
    assert viz.style_name() == "stage"
    assert size_px(PICTURES["bars"]()) == viz.STAGE_PX
    with matplotlib.rc_context():
        viz.style("quiet")
        assert viz.style_name() == "quiet"
        viz.style()
        assert viz.style_name() == "stage"
        assert matplotlib.rcParams["font.size"] == 18, "one's own figures, too"
    monkeypatch.setenv("PSLAB_STYLE", "big")
    with pytest.raises(ValueError, match="PSLAB_STYLE='big'; allowed: 'quiet', 'stage'"):
        PICTURES["bars"]()
    with pytest.raises(ValueError, match="name='huge'; allowed"):
        viz.style("huge")


def test_lines_and_arrows_grow_with_the_type():
    large, quiet = ([a.get_linewidth() for a in drawn("links", style).figure.axes[0].patches]
                    for style in ("stage", "quiet"))
    assert large == pytest.approx([18 / 9.5 * width for width in quiet])


# ---- units and twins ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PICTURES)
def test_every_axis_of_numbers_has_a_unit(name):
    for axes in drawn(name).figure.axes:
        if not axes.axison:
            a_map = name in ("flow", "patterns", "hash_ring")
            assert a_map or re.search(r"\([kMGT]?B\)", axes.get_title(loc="left")), "no axes"
            continue
        for axis in (axes.xaxis, axes.yaxis):
            ticks = [t.get_text() for t in axis.get_ticklabels()]
            words = any(re.search(r"[a-z]{2}", tick) for tick in ticks)          # names of ranks or groups
            assert words or re.search(r"\S \([^()]+\)", axis.get_label_text()), (name, axis.get_label_text(), ticks)


@pytest.mark.parametrize(("call", "message"), [
    (lambda: viz.bars(["a"], {"x": [1]}, unit="", title="t"), r"unit='bytes \(\)' has no unit"),
    (lambda: viz.curve([1], {"x": [1]}, xlabel="K", ylabel="bytes (B)", title="t"), "xlabel='K' has no unit"),
    (lambda: viz.curve([1], {"x": [1]}, xlabel="K (count)", ylabel="bytes", title="t"), "ylabel='bytes' has no unit"),
    (lambda: viz.timeline(TRACE, names=["a"]), "names has 1 entries; one for each of the 3 ranks"),
    (lambda: viz.timeline(TRACE, clock="wall"), "clock='wall'; allowed: 'virtual', 'real'"),
])
def test_a_picture_without_units_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("name", PICTURES)
def test_the_twin_has_the_title_and_every_number(name):
    picture = drawn(name)
    assert picture.text == repr(picture) == picture._repr_mimebundle_()[0]["text/plain"]
    assert picture.text.startswith(picture.title)
    assert picture.table.text == str(picture.table)
    assert picture.table.text in picture.text
    assert picture.table.rows


# ---- colours ------------------------------------------------------------------------------------------------------


# Machado, Oliveira and Fernandes (2009), severity 1.0, on linear RGB.
BLIND = {
    "full sight": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
}
FAR = 10.0  # CIE 1976 colour difference; 2.3 is just noticeable side by side


def seen(color, matrix):
    """CIELAB coordinates of a colour as a reader with this matrix sees it."""
    rgb = np.array(colors.to_rgb(color))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    to_xyz = np.array([[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750],
                       [0.0193339, 0.1191920, 0.9503041]])
    x, y, z = np.cbrt(to_xyz @ np.clip(np.array(matrix) @ linear, 1e-3, 1) / (to_xyz @ np.ones(3)))
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def too_close(palette, matrix):
    lab = {name: seen(color, matrix) for name, color in palette.items()}
    return [(a, b) for a, b in itertools.combinations(lab, 2) if np.linalg.norm(lab[a] - lab[b]) < FAR]


@pytest.mark.parametrize("sight", BLIND)
def test_all_colours_stay_apart_for_colour_blind_readers(sight):
    assert too_close({name: look.color for name, look in viz.LOOKS.items()}, BLIND[sight]) == []
    assert too_close({what: doing[1] for what, doing in DOINGS.items()}, BLIND[sight]) == []


def test_red_and_green_of_equal_lightness_would_not_pass():
    pair = {"red": "#e45050", "green": "#788c30"}
    assert too_close(pair, BLIND["full sight"]) == []
    assert too_close(pair, BLIND["deuteranopia"]) == [("red", "green")]


# ---- timeline -----------------------------------------------------------------------------------------------------


def stretches(picture):
    """{(what, rank): [(from, to) in the picture's unit]}, read from what is drawn."""
    found = {}
    for drawn in picture.figure.axes[0].collections:
        if drawn.get_gid():
            boxes = [path.get_extents() for path in drawn.get_paths()]
            rank = {round(float(box.intervaly.mean())) for box in boxes}
            assert rank == {int(drawn.get_gid().split()[1])}, "drawn in the lane it names"
            found[drawn.get_gid()] = [tuple(np.round(box.intervalx, 6)) for box in boxes]
    return found


def test_timeline_draws_each_stretch_in_its_lane():
    picture = viz.timeline(TRACE, names=["a", "b", "c"], title="Who waits")
    axes = picture.figure.axes[0]
    assert stretches(picture) == {"compute 0": [(0, 1)], "wait 2": [(0, 14)], "sleep 1": [(0, 5)],
                                  "send 0": [(1, 3)], "send 1": [(8, 9)]}
    assert axes.get_xlabel() == "virtual time (µs)"
    assert [t.get_text() for t in axes.get_yticklabels()] == ["a", "b", "c"]
    assert axes.yaxis_inverted()
    assert [t.get_text() for t in axes.get_legend().get_texts()] == ["computes", "waits", "sleeps", "sends"]
    face = {c.get_gid().split()[0]: colors.to_hex(c.get_facecolor()[0]) for c in axes.collections if c.get_gid()}
    assert face == {what: doing[1] for what, doing in DOINGS.items()}
    assert picture.table.columns == ["", "computes (µs)", "waits (µs)", "sleeps (µs)", "sends (µs)"]
    assert picture.table.rows == [["a", 1.0, 0, 0, 2.0], ["b", 0, 0, 5.0, 1.0], ["c", 0, 14.0, 0, 0]]
    assert picture.table.note == "the run took 14 µs of virtual time"


def test_timeline_sees_a_wrong_value():
    wrong = Trace(3, TRACE.events, [TRACE.spans[0]._replace(end_s=2e-6), *TRACE.spans[1:]])
    assert stretches(viz.timeline(wrong)) != stretches(viz.timeline(TRACE))
    assert viz.timeline(wrong).table.rows[0][1] == 2.0


def test_timeline_joins_what_touches_and_keeps_ranks_and_gaps_apart():
    spans = [Span(0, "wait", 2.0, 3.0), Span(0, "wait", 1.0, 2.0), Span(0, "wait", 5.0, 6.0), Span(1, "wait", 6.0, 7.0),
             Span(1, "wait", 7.5, 7.5)]
    assert stretches(viz.timeline(Trace(2, (), spans))) == {"wait 0": [(1, 3), (5, 6)], "wait 1": [(6, 7)]}


def test_timeline_of_a_real_clock_and_of_nothing():
    picture = viz.timeline(Trace(3, TRACE.events), clock="real")
    assert picture.figure.axes[0].get_xlabel() == "real time (µs)"
    assert picture.table.columns == ["", "sends (µs)"]
    empty = viz.timeline(Trace(2))
    assert stretches(empty) == {}
    assert empty.table.rows == [["rank 0"], ["rank 1"]]


def test_timeline_of_a_run_says_who_is_slow():
    def program(comm):
        import torch
        comm.compute([1e-3, 4e-3, 1e-3][comm.rank])
        work = comm.isend(torch.zeros(1000), dst=(comm.rank + 1) % 3)
        comm.recv(src=(comm.rank - 1) % 3)
        work.wait()

    picture = viz.timeline(SimWorld(3).run(program))
    assert picture.table.column("computes (ms)") == [1.0, 4.0, 1.0]
    waits = picture.table.column("waits (ms)")
    assert waits[2] > 2.9, "rank 2 waits for the slow rank 1"
    assert waits[1] < 0.1
