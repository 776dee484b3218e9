"""What is drawn: lines, bars, bands, labels with units, and the numbers of the twin. Not merely that it runs."""

import io

import numpy as np
import pytest
from matplotlib import colors
from matplotlib import image as mpl_image
from matplotlib.collections import PolyCollection
from matplotlib.patches import FancyArrowPatch

from pslab import cost, viz
from pslab.comm.ledger import Ledger
from pslab.comm.trace import Event, Span, Trace


def pixels(picture):
    return mpl_image.imread(io.BytesIO(picture.png()))


def texts(axes):
    return [t.get_text() for t in axes.texts]


def ring_ledger(K, payload):
    ledger = Ledger(K)
    for r in range(K):
        ledger.add(r, (r + 1) % K, "vals", payload + r)
    return ledger


# ---- tables and pictures ------------------------------------------------------------------------------------------


def test_table_text_is_aligned_and_html_escaped():
    table = viz.Table(["name", "MB"], [["a<b", 1.5], ["long name", 1234]], note="two & more")
    assert str(table).splitlines() == ["name          MB", "a<b          1.5", "long name  1,234", "two & more"]
    assert "a&lt;b" in table._repr_html_()
    assert "two &amp; more" in table._repr_html_()
    assert table.column("MB") == [1.5, 1234]


def test_table_refuses_ragged_rows():
    with pytest.raises(ValueError, match=r"rows\[1\] has 1 entries; columns has 2"):
        viz.Table(["a", "b"], [[1, 2], [3]])


def test_a_picture_is_an_image_and_a_text():
    picture = viz.bars(["a"], {"x": [2.0]}, unit="MB", title="Two megabytes")
    data, metadata = picture._repr_mimebundle_()
    assert data["image/png"].startswith(b"\x89PNG")
    assert data["text/plain"].startswith("Two megabytes\n\n")
    assert metadata["image/png"]["alt"] == "Two megabytes"
    assert (pixels(picture)[..., :3] < 0.9).any(), "something is on the paper"


def test_equal_pictures_have_equal_bytes():
    assert viz.busiest_link(4, 2, 0.5).png() == viz.busiest_link(4, 2, 0.5).png()


def test_save_writes_a_png_and_nothing_else(tmp_path):
    picture = viz.bars(["a"], {"x": [2.0]}, unit="MB", title="t")
    picture.save(tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes() == picture.png()
    with pytest.raises(ValueError, match="ends in .png"):
        picture.save(tmp_path / "a.pdf")


@pytest.mark.parametrize(("value", "text"), [
    (0.35e9, "350 MB"), (3.2e9, "3.2 GB"), (33_554_432, "33.6 MB"), (716.8e9, "717 GB"), (12, "12 B"), (0, "0 B"),
    (51_200_000_000, "51.2 GB"), (1000, "1 kB"),
])
def test_bytes_for_people(value, text):
    assert viz.sized(value) == text


@pytest.mark.parametrize(("value", "text"), [
    (1234567, "1,234,567"), (0.0168, "0.0168"), (21362.3, "21,362"), (4.571428, "4.57"), (100.0, "100"), (0.0, "0"),
    (1e-9, "1e-09"), (0.5, "0.5"), (12.0, "12"), (0.025905, "0.0259"), (0.00316228, "0.00316"), (-4.5678, "-4.57"),
])
def test_numbers_for_people(value, text):
    assert viz.number(value) == text


def test_seconds_units():
    assert [viz.seconds_unit(x)[1] for x in (2, 0.02, 3e-5, 1e-8)] == ["s", "ms", "µs", "ns"]


# ---- style -------------------------------------------------------------------------------------------------------


def simulated(rgb, matrix):
    """A colour as a colour-blind reader sees it (Viénot, Brettel and Mollon 1999, linear RGB)."""
    linear = np.where(np.array(rgb) <= 0.04045, np.array(rgb) / 12.92, ((np.array(rgb) + 0.055) / 1.055) ** 2.4)
    return np.clip(np.array(matrix) @ linear, 0, 1) ** (1 / 2.2)


PROTAN = [[0.11238, 0.88762, 0], [0.11238, 0.88762, 0], [0.00401, -0.00401, 1]]
DEUTAN = [[0.29275, 0.70725, 0], [0.29275, 0.70725, 0], [-0.02234, 0.02234, 1]]


@pytest.mark.parametrize("matrix", [PROTAN, DEUTAN], ids=["protan", "deutan"])
def test_architectures_stay_apart_for_colour_blind_readers(matrix):
    architectures = ("allreduce", "server", "hybrid", "gather")
    seen = {name: simulated(colors.to_rgb(viz.LOOKS[name].color), matrix) for name in architectures}
    for a in seen:
        for b in seen:
            assert a == b or np.linalg.norm(seen[a] - seen[b]) > 0.18, (a, b)


def test_no_two_looks_share_a_marker_or_colour():
    looks = list(viz.LOOKS.values())
    assert len({look.marker for look in looks}) == len({look.color for look in looks}) == len(looks)


def test_style_is_applied_on_request_and_only_then():
    import matplotlib
    with matplotlib.rc_context():
        before = matplotlib.rcParams["axes.spines.top"]
        viz.bars(["a"], {"x": [1.0]}, unit="B", title="t")
        assert matplotlib.rcParams["axes.spines.top"] == before
        viz.style()
        assert matplotlib.rcParams["axes.spines.top"] is False


# ---- bars and curves ----------------------------------------------------------------------------------------------


def test_bars_show_each_number_with_its_unit():
    picture = viz.bars(["dense", "sparse"], {"allreduce": [0.35, 89.6], "server": [1.6, 0.0168]}, unit="GB",
                       title="Busiest port", log=True)
    axes = picture.figure.axes[0]
    assert axes.get_xlabel() == "bytes (GB), logarithmic"
    assert axes.get_xscale() == "log"
    assert [bar.get_width() for bar in axes.patches] == [0.35, 89.6, 1.6, 0.0168]
    assert texts(axes) == ["0.35", "89.6", "1.6", "0.0168"]
    assert [t.get_text() for t in axes.get_yticklabels()] == ["dense", "sparse"]
    assert [t.get_text() for t in axes.get_legend().get_texts()] == ["allreduce", "server"]
    assert picture.table.rows == [["dense", 0.35, 1.6], ["sparse", 89.6, 0.0168]]
    facecolors = {colors.to_hex(bar.get_facecolor()) for bar in axes.patches}
    assert facecolors == {viz.LOOKS["allreduce"].color, viz.LOOKS["server"].color}
    assert {bar.get_hatch() for bar in axes.patches} == {"", "///"}, "colour is never alone"


def test_bars_of_one_series_can_look_like_what_they_name():
    picture = viz.bars(["ring", "one server"], {"MB": [1.0, 2.0]}, unit="MB", title="t",
                       looks={"ring": "allreduce", "one server": "server"})
    bars = picture.figure.axes[0].patches
    assert [colors.to_hex(b.get_facecolor()) for b in bars] == [viz.LOOKS[n].color for n in ("allreduce", "server")]
    assert [b.get_hatch() for b in bars] == ["", "///"]


def test_curve_draws_names_and_samples():
    x = list(range(2, 65))
    picture = viz.curve(x, {"ring": [2 - 2 / k for k in x], "server": [float(k) for k in x]}, log="x", rows=5,
                        xlabel="workers K (count)", ylabel="bytes (GB)", title="t", looks={"ring": "allreduce"},
                        mark=(8, "here"))
    axes = picture.figure.axes[0]
    assert [list(line.get_ydata()) for line in axes.lines[:2]] == [[2 - 2 / k for k in x], [float(k) for k in x]]
    assert (axes.get_xlabel(), axes.get_ylabel(), axes.get_xscale(), axes.get_yscale()) == (
        "workers K (count)", "bytes (GB)", "log", "linear")
    assert texts(axes) == ["here", "ring", "server"]
    assert axes.lines[0].get_color() == viz.LOOKS["allreduce"].color
    wide = viz.curve([1.0, 1e6], {"a": [1, 2]}, xlabel="x (s)", ylabel="y (s)", title="t", log="x").figure.axes[0]
    assert (axes.xaxis.get_transform().base, wide.xaxis.get_transform().base) == (2, 10)
    assert axes.get_ylim()[0] == 0, "a linear axis of bytes starts at nothing"
    small = viz.curve([1e-5, 100.0], {"a": [1, 2]}, xlabel="x (%)", ylabel="y (s)", title="t", log="x").figure.axes[0]
    narrow = viz.curve([1, 2], {"a": [2.0, 80.0]}, xlabel="x (s)", ylabel="y (kB)", title="t", log="y").figure.axes[0]
    narrow.figure.draw_without_rendering()
    written = {tick.get_text() for tick in narrow.yaxis.get_minorticklabels() + narrow.yaxis.get_majorticklabels()}
    assert {"10", "20"} <= written
    assert not any(mark in text for text in written for mark in "$e^")
    ticks = small.xaxis.get_major_formatter()
    assert [ticks(value) for value in (1e-5, 0.1, 1.0, 64.0, 1e6)] == ["0.00001", "0.1", "1", "64", "1,000,000"]
    assert [row[0] for row in picture.table.rows] == [2, 18, 33, 48, 64]
    assert picture.table.column("server") == [2.0, 18.0, 33.0, 48.0, 64.0]


def test_names_at_the_ends_of_lines_do_not_overlap():
    x = [1, 2, 3]
    picture = viz.curve(x, {"a": [1, 2, 3.0], "b": [1, 2, 3.01], "c": [1, 2, 3.02]}, xlabel="x (s)", ylabel="y (s)",
                        title="t")
    picture.png()
    boxes = sorted(t.get_window_extent().y0 for t in picture.figure.axes[0].texts)
    assert min(np.diff(boxes)) > 10


@pytest.mark.parametrize(("call", "message"), [
    (lambda: viz.bars(["a", "b"], {"x": [1]}, unit="B", title="t"), r"series\['x'\] has 1 entries; labels has 2"),
    (lambda: viz.bars([], {}, unit="B", title="t"), "must not be empty"),
    (lambda: viz.curve([1], {"x": [1]}, xlabel="", ylabel="", title="", log="z"), "log='z'; allowed"),
    (lambda: viz.links(ring_ledger(3, 5), servers=3), "servers=3; this run has 3 ranks"),
    (lambda: viz.spacetime(Trace(2), names=["a"]), "names has 1 entries; one for each of the 2 ranks"),
    (lambda: viz.busiest_link(K=1), "K=1; the picture shows 2 to 64 workers"),
    (lambda: viz.busiest_link(S=0), "S=0"),
    (lambda: viz.busiest_link(overlap=2), "overlap=2"),
    (lambda: viz.flow([viz.Box("a", "A", (0, 0))], [("a", "b", "")], title="t"), "names box 'b'; there are a"),
])
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# ---- space and time -----------------------------------------------------------------------------------------------


TRACE = Trace(3, [Event(0, 1, "tensor", "0", 2_500, 0.0, 1e-6, 3e-6, 8e-6, 8e-6),
                  Event(1, 2, "tensor", "0", 500, 0.0, 8e-6, 9e-6, 14e-6, 20e-6)],
              [Span(0, "compute", 0.0, 1e-6), Span(2, "wait", 0.0, 14e-6)])


def test_spacetime_draws_each_message_as_a_band():
    picture = viz.spacetime(TRACE)
    axes = picture.figure.axes[0]
    bands, = (c for c in axes.collections if isinstance(c, PolyCollection) and len(c.get_paths()) == 2)
    first, second = (path.vertices[:4] for path in bands.get_paths())
    # leaves rank 0 from 1 to 3 µs, enters rank 1 from 6 to 8: held for 2 µs, slanted by 5 µs of latency
    assert np.allclose(first, [(1, 0), (3, 0), (8, 1), (6, 1)])
    assert np.allclose(second, [(8, 1), (9, 1), (14, 2), (13, 2)])
    assert axes.get_xlabel() == "time (µs)"
    assert [t.get_text() for t in axes.get_yticklabels()] == ["rank 0", "rank 1", "rank 2"]
    assert axes.yaxis_inverted(), "the first rank on top"


def test_spacetime_leads_from_first_to_last_byte_where_bands_stand_upright():
    def arrows(latency_s, messages=1):
        events = [Event(0, 1, "tensor", "0", 8, i * 4e-6, i * 4e-6, i * 4e-6 + 2e-6, i * 4e-6 + 2e-6 + latency_s, 1.0)
                  for i in range(messages)]
        drawn = viz.spacetime(Trace(2, events)).figure.axes[0].texts
        return [(text.xyann, text.xy) for text in drawn if text.get_gid() == "arrow"]

    assert arrows(0.0) == [((0.0, 0), (2.0, 1))]
    assert arrows(1e-6) == []                                    # it leans, and needs none
    assert len(arrows(0.0, 40)) == 40
    assert arrows(0.0, 41) == []


def test_spacetime_twin_and_names():
    picture = viz.spacetime(TRACE, names=["a", "b", "c"], rows=1, title="A relay")
    assert picture.table.rows == [["a", "b", "tensor", "2.5 kB", 1.0, 8.0]]
    assert picture.table.note == "... and 1 more messages, 2 in all"
    assert repr(picture).startswith("A relay")


def test_spacetime_of_mail_has_a_legend_of_kinds():
    sizes = {"push": 100_000, "rows": 90_000, "ack": 9, "clock": 12}
    mail = Trace(2, [Event(0, 1, "mail", kind, size, 0, i * 1.0, i + 0.5, i + 0.6, i + 1) for i, (kind, size) in
                     enumerate(sizes.items())])
    axes = viz.spacetime(mail).figure.axes[0]
    assert [t.get_text() for t in axes.get_legend().get_texts()] == ["push", "rows", "small mail:\nack\nclock"]
    bands = {c.get_label(): c for c in axes.collections if isinstance(c, PolyCollection) and c.get_label()[0] != "_"}
    assert [(label, len(c.get_paths())) for label, c in bands.items()] == [
        ("push", 1), ("rows", 1), ("small mail:\nack\nclock", 2)]
    assert len({colors.to_hex(band.get_facecolor()[0]) for band in bands.values()}) == 3
    assert colors.to_hex(bands["push"].get_facecolor()[0]) == viz.LOOKS["server"].color


def test_spacetime_shows_waiting_and_computing_on_the_lanes():
    axes = viz.spacetime(TRACE).figure.axes[0]
    spans = [c for c in axes.collections if isinstance(c, PolyCollection) and len(c.get_paths()) == 1]
    boxes = [c.get_paths()[0].get_extents() for c in spans]
    places = {tuple(np.round([*box.intervalx, box.intervaly.mean()], 6)) for box in boxes}
    assert places == {(0, 1, 0), (0, 14, 2)}, "compute of rank 0 until 1 µs, wait of rank 2 until 14 µs"


def test_spacetime_of_nothing_is_an_empty_diagram():
    assert viz.spacetime(Trace(2)).table.rows == []


# ---- links --------------------------------------------------------------------------------------------------------


def test_links_draws_one_arrow_per_used_link_as_wide_as_its_bytes():
    picture = viz.links(ring_ledger(4, 1_000))
    axes = picture.figure.axes[0]
    arrows = [p for p in axes.patches if isinstance(p, FancyArrowPatch)]
    assert len(arrows) == 4
    widths = [a.get_linewidth() for a in arrows]
    assert widths == sorted(widths)
    assert widths[0] < widths[-1]
    assert "1" in texts(axes)
    assert "rank 3" in texts(axes)
    assert axes.get_title(loc="left") == "Bytes on every link (kB)"
    assert picture.table.rows == [["rank 0", "rank 1", 1000], ["rank 1", "rank 2", 1001], ["rank 2", "rank 3", 1002],
                                  ["rank 3", "rank 0", 1003]]


def test_links_of_a_server_job_names_the_roles_and_counts_a_kind():
    ledger = Ledger(3)
    ledger.add(0, 2, "vals", 70)
    ledger.add(0, 2, "keys", 8)
    ledger.add(2, 1, "vals", 50)
    picture = viz.links(ledger, servers=1, kind="vals")
    assert picture.table.rows == [["worker 0", "server 0", 70], ["server 0", "worker 1", 50]]
    assert viz.links(ledger, servers=1).table.rows[0][2] == 78
    axes = picture.figure.axes[0]
    xs = [line.get_xdata()[0] for line in axes.lines]
    assert xs == [-1.0, -1.0, 1.0], "workers left, the server right"


# ---- flow ---------------------------------------------------------------------------------------------------------


def test_flow_draws_boxes_arrows_and_their_words():
    boxes = [viz.Box("q", "fits?", (0, 0)), viz.Box("r", "ring\nall-reduce", (1, 0), "allreduce"),
             viz.Box("s", "server", (0, 1), "server")]
    picture = viz.flow(boxes, [("q", "r", "yes"), ("q", "s", "no")], title="t")
    axes = picture.figure.axes[0]
    assert texts(axes) == ["fits?", "ring\nall-reduce", "server", "yes", "no"]
    assert picture.table.rows == [["fits?", "yes", "ring all-reduce"], ["fits?", "no", "server"]]
    edges = [colors.to_hex(p.get_edgecolor()) for p in axes.patches if not isinstance(p, FancyArrowPatch)]
    assert edges[1:] == [viz.LOOKS["allreduce"].color, viz.LOOKS["server"].color]


# ---- the duel and its widget --------------------------------------------------------------------------------------


def test_busiest_link_shows_what_cost_says():
    picture = viz.busiest_link(16, 4, 0.5, elements=1_000_000, alpha_s=0, bandwidth_Bps=1e9)
    ring, server = cost.ring_all_reduce(1_000_000, 16), cost.parameter_server(1_000_000, 16, 4)
    assert picture.table.rows[0][:2] == ["ring all-reduce", ring.busiest]
    assert picture.table.rows[1][:2] == ["4 servers", server.busiest]
    assert float(picture.table.rows[1][2]) == pytest.approx(1e3 * 1.5 * server.busiest / 1e9, rel=1e-3)
    left, right = picture.figure.axes
    assert left.get_xlabel() == "workers K (count)"
    assert left.get_ylabel() == "busiest port, per direction (MB)"
    assert left.lines[0].get_ydata()[14] == ring.busiest / 1e6
    assert left.lines[1].get_ydata()[14] == server.busiest / 1e6
    assert list(left.lines[0].get_xdata()) == list(range(2, 65))
    assert right.get_ylabel() == "time of the step (ms), modelled"
    assert [bar.get_height() for bar in right.patches] == pytest.approx([1e3 * ring.busiest / 1e9,
                                                                          1e3 * 1.5 * server.busiest / 1e9])


def test_scale_of_the_left_axis_stays_while_sliders_move():
    limits = {viz.busiest_link(K, S).figure.axes[0].get_ylim() for K, S in ((2, 1), (64, 1), (64, 64))}
    assert len(limits) == 1


def test_overlap_changes_seconds_never_bytes():
    apart, beside = (viz.duel(8, 1, overlap, elements=10**6, itemsize=4, alpha_s=0, bandwidth_Bps=1e9)
                     for overlap in (0, 1))
    assert apart["server"]["bytes"] == beside["server"]["bytes"]
    assert apart["server"]["seconds"] == 2 * beside["server"]["seconds"]
    assert apart["allreduce"] == beside["allreduce"]


@pytest.mark.parametrize(("slider", "value"), [(0, 32), (1, 8), (2, 1.0)])
def test_each_slider_moves_the_image_and_the_words(slider, value):
    box = viz.busiest_link_widget(elements=1_000_000)
    *sliders, image, words = box.children
    before = bytes(image.value), words.value
    sliders[slider].value = value
    assert bytes(image.value).startswith(b"\x89PNG")
    assert bytes(image.value) != before[0]
    assert words.value != before[1]
    assert viz.busiest_link(*(s.value for s in sliders), elements=1_000_000).title in words.value
    assert [s.description for s in sliders] == ["workers K", "servers S", "overlap"]


def test_the_widget_starts_with_the_default_picture():
    *_, image, _words = viz.busiest_link_widget().children
    assert bytes(image.value) == viz.busiest_link().png()


# ---- words --------------------------------------------------------------------------------------------------------


def test_a_note_reads_as_text_and_as_markdown():
    note = viz.Note("The ratio is **4.57**.")
    assert note._repr_markdown_() == repr(note) == "The ratio is **4.57**."
