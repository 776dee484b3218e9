"""The picture of all algorithms: the seconds of the closed forms and of runs, the fastest marked, every control."""

import math

import pytest
import torch
from matplotlib import colors
from matplotlib.patches import FancyArrowPatch

from pslab import collectives, cost, viz
from pslab.comm import Ledger, Link, Racks, SimWorld
from pslab.viz.algorithms import SHOWN, SIZES

PORT = {"alpha_s": 20e-6, "bandwidth_Bps": 1e9}


def all_reduce(comm, elements, algorithm, settings):
    collectives.all_reduce(comm, torch.ones(elements), algorithm=algorithm, **settings)


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("name", ["ring", "chunked_ring", "recursive_doubling", "halving_doubling"])
def test_in_one_rack_the_seconds_are_those_of_a_run(name, share):
    for K in (2, 8):
        link = Link(20e-6 * share, 20e-6 * (1 - share), 1e9)
        run = SimWorld(K, link=link, trace=False).run(
            all_reduce, 32_768, name, {"chunks": 4} if name == "chunked_ring" else {})
        seconds = viz.algorithm_seconds(4 * 32_768, K, latency_share=share, **PORT)
        assert seconds[name] == pytest.approx(run.seconds, rel=1e-9)


@pytest.mark.parametrize(("K", "racks", "uplink"), [(8, 2, 1.0), (8, 4, 0.5), (16, 4, 0.25)])
def test_behind_uplinks_the_seconds_are_those_of_a_run(K, racks, uplink):
    g = K // racks
    groups = [list(range(rack * g, rack * g + g)) for rack in range(racks)]
    seconds = viz.algorithm_seconds(4 * 32_768, K, racks, latency_share=0.0, uplink=uplink, **PORT)
    world = SimWorld(K, link=Link(0.0, 20e-6, 1e9), racks=Racks(groups, Link(0.0, 20e-6, uplink * 1e9)), trace=False)
    for name, settings in (("ring", {}), ("halving_doubling", {}), ("hierarchical", {"groups": groups})):
        run = world.run(all_reduce, 32_768, name, settings)
        assert seconds[name] == pytest.approx(run.seconds, rel=1e-9), name


def test_the_tree_has_an_upper_bound():
    for share in (0.0, 0.5):
        link = cost.AlphaBeta(20e-6, 1e9, 20e-6 * (1 - share))
        exact = cost.all_reduce_s("binomial", 32_768, 8, link)
        bound = viz.algorithm_seconds(4 * 32_768, 8, latency_share=share, **PORT)["binomial"]
        assert exact <= bound <= 1.5 * exact


def test_the_picture_shows_every_algorithm_and_marks_the_fastest():
    picture = viz.algorithms(1 << 20, 64, 8, latency_share=0.0, uplink=2.0, **PORT)
    seconds = viz.algorithm_seconds(1 << 20, 64, 8, latency_share=0.0, uplink=2.0, **PORT)
    left, right = picture.figure.axes
    lines = {line.get_gid(): line for line in left.lines if line.get_gid()}
    star = lines.pop("fastest")
    assert list(lines) == [bar.get_gid() for bar in right.patches] == list(SHOWN) == list(seconds)
    at = SIZES.index(1 << 20)
    for (name, line), bar in zip(lines.items(), right.patches):
        assert tuple(line.get_xdata()) == SIZES
        assert line.get_ydata()[at] == seconds[name]
        assert bar.get_width() == pytest.approx(seconds[name] * 1e3)
        assert line.get_color() == colors.to_hex(bar.get_facecolor())
        assert line.get_marker() == viz.LOOKS[SHOWN[name][1]].marker, "colour is never alone"
    best = min(seconds, key=seconds.get)
    assert (star.get_xdata()[0], star.get_ydata()[0]) == (1 << 20, seconds[best])
    assert picture.title == f"{SHOWN[best][0].capitalize()} is fastest: 1 MiB, 64 ranks in 8 racks"
    assert sum("★" in text.get_text() for text in right.texts) == 1
    assert len({line.get_marker() for line in lines.values()}) == len(SHOWN)
    assert right.get_xlabel() == "at this size (ms), modelled"


def test_the_twin_says_which_is_fastest_for_which_sizes():
    table = viz.algorithms(1 << 20, 16, **PORT).table
    rows = {row[0]: row for row in table.rows}
    assert rows["halving–doubling"][2] == "1.00"
    wide = [row[3] for row in table.rows if row[3] != "none"]
    assert wide[0].startswith("256 B to ")
    assert wide[-1].endswith(" to 1 GiB")
    here = viz.algorithm_seconds(1 << 20, 16, latency_share=0.5, **PORT)
    assert float(rows["ring"][2]) == pytest.approx(here["ring"] / here["halving_doubling"], abs=0.005)


KNOBS = {"message_bytes": 1 << 14, "K": 64, "racks": 4, "alpha_s": 200e-6, "latency_share": 0.0,
         "bandwidth_Bps": 1.25e9, "uplink": 0.25}


@pytest.mark.parametrize("name", KNOBS)
def test_each_control_moves_the_image_and_the_words(name):
    box = viz.algorithms_widget(racks=2)
    *sliders, image, words = box.children
    moved = dict(zip(KNOBS, sliders))[name]
    before = bytes(image.value), words.value
    moved.value = KNOBS[name]
    expected = viz.algorithms(**{"racks": 2, name: KNOBS[name]})
    assert bytes(image.value) != before[0]
    assert words.value != before[1]
    assert expected.title in words.value
    assert box.picture.title == expected.title


def test_the_widget_begins_with_the_picture():
    *_, image, _ = viz.algorithms_widget(K=8).children
    assert bytes(image.value) == viz.algorithms(K=8).png()


def test_the_order_of_the_ranks_matters_and_more_racks_than_ranks_are_as_many():
    rack, other = (viz.algorithm_seconds(1 << 20, 16, 4, order=order, **PORT)
                   for order in ("rack by rack", "alternating"))
    assert other["ring"] > 3 * rack["ring"]
    *sliders, _, words = viz.algorithms_widget(racks=32, K=1024).children
    sliders[1].value = 4
    assert "4 ranks in 4 racks" in words.value


@pytest.mark.parametrize(("call", "message"), [
    (lambda: viz.algorithms(K=6), "K=6; a power of two from 2 on"),
    (lambda: viz.algorithms(K=1), "K=1; a power of two from 2 on"),
    (lambda: viz.algorithms(racks=3), "racks=3; a power of two from 1 on"),
    (lambda: viz.algorithms(K=4, racks=8), "racks=8; 4 ranks fill at most 4 racks"),
    (lambda: viz.algorithms(message_bytes=2), "message_bytes=2; at least one number"),
    (lambda: viz.algorithms(alpha_s=-1.0), "alpha_s=-1.0; a number of seconds"),
    (lambda: viz.algorithms(alpha_s=math.inf), "alpha_s=inf; a number of seconds"),
    (lambda: viz.algorithms(latency_share=2), "latency_share=2; a share"),
    (lambda: viz.algorithms(bandwidth_Bps=0), "bandwidth_Bps=0; must be above 0"),
    (lambda: viz.algorithms(uplink=0), "uplink=0; must be above 0"),
    (lambda: viz.algorithms(order="zigzag"), "order='zigzag'; allowed"),
    (lambda: viz.algorithms_widget(K=5), "K=5; the slider has 2, 4, 8"),
    (lambda: viz.algorithms_widget(colour="red"), "colour=...; the settings are order, message_bytes, K"),
    (lambda: viz.patterns({}), "ledgers is empty"),
    (lambda: viz.patterns({"a": Ledger(17)}), r"ledgers\['a'\] has 17 ranks; at most 16"),
    (lambda: viz.patterns({"a": Ledger(2)}, columns=0), "columns=0; 1 or more"),
    (lambda: viz.score_against_bytes({}), r"results=\{\}; for each method"),
    (lambda: viz.score_against_bytes({"a": (0, 1)}), "with x above 0"),
    (lambda: viz.score_against_bytes({"a": (1, 1)}, ylabel="accuracy"), "ylabel='accuracy' has no unit"),
])
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# ---- small multiples, and scores against bytes ----------------------------------------------------------------------


def test_each_pattern_has_its_own_circle_on_one_scale_of_widths():
    star, ring = Ledger(4), Ledger(4)
    for rank in range(1, 4):
        star.add(0, rank, "vals", 1000 * rank)
    for rank in range(4):
        ring.add(rank, (rank + 1) % 4, "keys", 6000)
    picture = viz.patterns({"scatter": star, "ring": ring, "none": Ledger(4)}, columns=2)
    widths = [[p.get_linewidth() for p in axes.patches if isinstance(p, FancyArrowPatch)]
              for axes in picture.figure.axes]
    assert [len(cell) for cell in widths] == [3, 4, 0, 0]
    assert widths[0] == pytest.approx([0.6 + 2.4 * rank / 6 for rank in (1, 2, 3)])
    assert widths[1] == pytest.approx([3.0] * 4)
    written = [[t.get_text() for t in axes.texts] for axes in picture.figure.axes]
    assert written[0] == ["0", "1", "2", "3", "all 6 kB, port 6 kB"]
    assert [axes.get_title() for axes in picture.figure.axes] == ["scatter", "ring", "none", ""]
    assert picture.table.rows[0] == ["scatter", 6000, "rank 0 out: 6 kB", "0 → 1: 1 kB, 0 → 2: 2 kB, 0 → 3: 3 kB"]
    keys = viz.patterns({"scatter": star, "ring": ring}, kind="keys")
    assert keys.table.column("bytes") == [0, 24_000]


def test_runs_may_be_given_for_their_ledgers():
    run = SimWorld(3).run(all_reduce, 300, "ring", {})
    assert viz.patterns({"ring": run}).table.column("bytes") == [run.ledger.total()]


def test_a_method_is_a_mark_at_its_bytes_and_score_and_its_way_a_line():
    picture = viz.score_against_bytes({"float32": (12.0, 96.0), "top-k": [(0.1, 60.0), (0.24, 94.0)]},
                                      looks={"float32": "allreduce"})
    axes = picture.figure.axes[0]
    way, mark, other_way, other_mark = ((line.get_xdata().tolist(), line.get_ydata().tolist()) for line in axes.lines)
    assert (way, mark) == (([12.0], [96.0]), ([12.0], [96.0]))
    assert (other_way, other_mark) == (([0.1, 0.24], [60.0, 94.0]), ([0.24], [94.0]))
    assert axes.lines[1].get_color() == viz.LOOKS["allreduce"].color
    assert axes.lines[1].get_marker() != axes.lines[3].get_marker()
    assert [t.get_text() for t in axes.get_legend().get_texts()] == ["float32", "top-k"]
    assert (axes.get_xscale(), axes.get_xlabel()) == ("log", "sent by a worker (MB), logarithmic")
    assert picture.table.rows == [["float32", 12.0, 96.0, "50"], ["top-k", 0.24, 94.0, "1"]]
