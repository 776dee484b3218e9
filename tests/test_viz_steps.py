"""A run step by step: which messages are in a step, what is drawn and said of them, and the player's controls."""

import numpy as np
import pytest
import torch
from matplotlib.collections import PolyCollection

from pslab import collectives, viz
from pslab.comm import COLLECTIVE_TAGS, Event, Link, SimWorld, Span, Trace
from pslab.viz.spacetime import band
from pslab.viz.steps import Steps, holding, told


def ring(comm, elements):
    """A reduce-scatter by hand that keeps a diary of what each chunk is a sum of."""
    K, rank = comm.world_size, comm.rank
    chunks = list((torch.arange(float(elements)) * K + rank).tensor_split(K))
    terms, diary = [1] * K, [(comm.now(), " ".join("1" * K))]
    for t in range(K - 1):
        give, take = (rank - t - 1) % K, (rank - t - 2) % K
        work = comm.isend(chunks[give], (rank + 1) % K)
        comm.recv((rank - 1) % K, out=chunks[take], op="sum")
        work.wait()
        terms[take] += t + 1
        diary.append((comm.now(), " ".join(map(str, terms))))
    return diary


@pytest.fixture(scope="module")
def run():
    return SimWorld(4, link=Link(2e-6, 0, 1e9)).run(ring, 4000)


ALL_REDUCE = str(COLLECTIVE_TAGS["all_reduce"])
# 0 ─> 1 arrives at 3 µs; 1 ─> 2 at 7, begun at 2; a letter 2 ─> 0 at 7, begun at 3; 0 ─> 2 at 9, begun at 7
LATE = Trace(3, [Event(0, 1, "tensor", "7", 4_000, 0.0, 0.0, 2e-6, 3e-6, 3e-6),
                 Event(1, 2, "tensor", ALL_REDUCE, 500, 0.0, 2e-6, 6e-6, 7e-6, 8e-6),
                 Event(2, 0, "mail", "push", 9, 0.0, 3e-6, 6e-6, 7e-6, 7e-6),
                 Event(0, 2, "tensor", "7", 4_000, 0.0, 7e-6, 8e-6, 9e-6, 9e-6)],
             [Span(0, "compute", 8e-6, 20e-6), Span(1, "wait", 0.0, 3e-6)])


def drawn(picture):
    """{group: corners of its bands} and the number of arrows of a step's picture."""
    axes = picture.figure.axes[0]
    groups = {c.get_gid(): [path.vertices[:4].tolist() for path in c.get_paths()] for c in axes.collections
              if isinstance(c, PolyCollection) and c.get_gid()}
    return groups, sum(t.get_gid() == "arrow" for t in axes.texts)


def bands(*events):
    return [[list(corner) for corner in band(e, 1e-6)] for e in events]


# ---- steps --------------------------------------------------------------------------------------------------------


def test_messages_that_arrive_together_are_one_step(run):
    steps = Steps(run.trace)
    assert [len(steps[i].arrived) for i in range(len(steps))] == [0, 4, 4, 4]
    assert [round(steps[i].end_s * 1e6, 6) for i in range(4)] == [0, 6, 12, 18]
    assert [len(steps[i].before) for i in range(4)] == [0, 0, 4, 8]
    assert not any(steps[i].under_way for i in range(4))


def test_a_step_knows_what_is_still_under_way():
    steps = Steps(LATE)
    first, second, third, last = LATE.events
    assert len(steps) == 4
    assert steps[1] == (1, 0.0, 3e-6, [first], [second], []), "the letter begins as the step ends"
    assert steps[2] == (2, 3e-6, 7e-6, [second, third], [], [first])
    assert steps[3] == (3, 7e-6, 9e-6, [last], [], [first, second, third])


def test_steps_are_joined_by_slack_and_by_their_number():
    assert [len(Steps(LATE, slack_s=2.5e-6)[i].arrived) for i in range(3)] == [0, 1, 3]
    assert len(Steps(LATE, slack_s=10e-6)) == 2
    many = Trace(2, [Event(0, 1, "mail", "x", 1, 0, 0, 0, i * 1.0, i * 1.0) for i in range(1, 1001)])
    few = Steps(many, most=30)
    assert len(few) == 31
    assert [e.arrive_s for i in range(31) for e in few[i].arrived] == [e.arrive_s for e in many.events]
    assert {len(few[i].arrived) for i in range(1, 31)} <= {33, 34}
    assert len(Steps(many)) == 201
    assert len(Steps(Trace(2))) == 1


def test_the_words_say_who_sends_what_to_whom():
    names = ["a", "b", "c"]
    steps = Steps(LATE)
    assert [told(steps[i], len(steps), names) for i in range(4)] == [
        "Beginning: nothing is sent yet; 3 steps follow.",
        "Step 1 of 3, 0 to 3 µs: tag 7 of 4 kB: a → b. Still under way: all_reduce of 500 B: b → c.",
        "Step 2 of 3, 3 to 7 µs: all_reduce of 500 B: b → c; push of 9 B: c → a.",
        "Step 3 of 3, 7 to 9 µs: tag 7 of 4 kB: a → c."]
    assert told(Steps(Trace(3))[0], 1, names) == "No messages are sent."
    everyone = Trace(20, [Event(r, (r + 1) % 20, "mail", "x", 1, 0, 0, 1, 2, 2) for r in range(20)])
    text = told(Steps(everyone)[1], 2, [str(r) for r in range(20)])
    assert text.endswith("20 × x of 1 B: 0 → 1, 1 → 2, 2 → 3, 3 → 4, 4 → 5, 5 → 6, 6 → 7, 7 → 8 and 12 more.")


def test_a_rank_holds_the_last_entry_of_its_diary():
    diaries = [[(0.0, "a"), (1.0, "b"), (3.0, "c")], []]
    assert [holding(diaries, 0, t) for t in (0.0, 0.5, 1.0, 2.9, 9.0)] == ["a", "a", "b", "b", "c"]
    assert holding(diaries, 1, 5.0) == holding(None, 0, 5.0) == ""


# ---- the picture of a step ----------------------------------------------------------------------------------------


def test_earlier_messages_this_steps_and_those_under_way_are_drawn_apart():
    first, second, third, _ = LATE.events
    groups, arrows = drawn(viz.step(LATE, 1))
    assert groups == {"earlier": [], "in this step": bands(first), "under way": bands(second)}
    assert arrows == 1
    groups, arrows = drawn(viz.step(LATE, 2))
    assert groups == {"earlier": bands(first), "in this step": bands(second, third), "under way": []}
    assert arrows == 2
    line, = (line for line in viz.step(LATE, 2).figure.axes[0].lines)
    assert np.allclose(line.get_xdata(), 7)


def test_the_axis_and_the_room_for_holdings_stay_while_steps_pass(run):
    pictures = [viz.step(run, i, snapshots=run.results) for i in range(4)]
    assert len({p.figure.axes[0].get_xlim() for p in pictures}) == 1
    for p in pictures:
        p.png()
    assert len({p.figure.axes[0].get_position().bounds for p in pictures}) == 1


@pytest.mark.parametrize("style", ["quiet", "stage"])
def test_a_title_does_not_run_into_the_legend(run, style, monkeypatch):
    monkeypatch.setenv("PSLAB_STYLE", style)
    figure = viz.step(run, 2, title="A title that takes half of the line", snapshots=[[(0.0, "a b c")]] * 4).figure
    figure.draw_without_rendering()
    axes, = figure.axes
    title, legend = axes._left_title.get_window_extent(), axes.get_legend().get_window_extent()
    assert title.x1 > legend.x0 + 0.1 * legend.width, "this title is too short to show anything"
    assert title.y0 >= legend.y0 + 0.8 * legend.height
    assert title.y1 <= figure.bbox.y1


def test_what_each_rank_holds_is_in_the_picture_and_in_its_twin(run):
    picture = viz.step(run, 2, snapshots=run.results, title="Ring")
    assert picture.title == "Ring: step 2 of 3"
    assert picture.table.columns == ["", "sends", "receives", "holds"]
    assert picture.table.rows[1] == ["rank 1", "tag 0, 4 kB, to rank 2", "tag 0, 4 kB, from rank 0", "1 1 3 2"]
    assert picture.table.note.startswith("Step 2 of 3, 6 to 12 µs: 4 × tag 0 of 4 kB: rank 0 → rank 1, ")
    written = [t.get_text() for t in picture.figure.axes[0].texts]
    assert [row[3] for row in picture.table.rows] == [t for t in written if t.count(" ") == 3]
    assert viz.step(run).table.rows[0] == ["rank 0", "tag 0, 4 kB, to rank 1", "tag 0, 4 kB, from rank 3"]
    assert viz.step(run, 0, snapshots=run.results).table.rows[2] == ["rank 2", "–", "–", "1 1 1 1"]


@pytest.mark.parametrize(("call", "message"), [
    (lambda: viz.step(LATE, 4), "at=4; this run has the steps 0 to 3"),
    (lambda: viz.step(LATE, -1), "at=-1; this run has the steps 0 to 3"),
    (lambda: viz.step(LATE, most=0), "most=0; at least 1 step"),
    (lambda: viz.step(LATE, slack_s=-1.0), "slack_s=-1.0; a number of seconds"),
    (lambda: viz.step(LATE, names=["a"]), "names has 1 entries; one for each of the 3 ranks"),
    (lambda: viz.step(LATE, snapshots=[[]]), "snapshots has 1 diaries; one for each of the 3 ranks"),
    (lambda: viz.step(LATE, snapshots=[[], [(2, "a"), (1, "b")], []]), r"snapshots\[1\]=.* in the order of time"),
    (lambda: viz.step(LATE, snapshots=[[], [], ["a"]]), r"snapshots\[2\]=.* a list of \(time_s, text\)"),
    (lambda: viz.scrubber(LATE, at=9), "at=9; this run has the steps 0 to 3"),
    (lambda: viz.table(LATE, rows=-1), "rows=-1; a number of rows, or None"),
    (lambda: viz.spacetime(LATE, between=(3.0, 1.0)), r"between=\(3.0, 1.0\); two moments"),
    (lambda: viz.spacetime(LATE, most=0), "most=0; at least 1 message"),
])
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# ---- the player ---------------------------------------------------------------------------------------------------


def parts(box):
    controls, image, words = box.children
    return *controls.children, image, words


def test_every_control_of_the_player_moves_picture_words_and_all_the_others(run):
    box = viz.scrubber(run, at=1, snapshots=run.results, title="Ring")
    player, back, forward, slider, image, words = parts(box)

    def shows(at):
        picture = viz.step(run, at, snapshots=run.results, title="Ring")
        assert (slider.value, player.value) == (at, at)
        assert bytes(image.value) == picture.png()
        assert box.picture.title == picture.title
        assert picture.table.note.replace(">", "&gt;") in words.value
        assert (back.disabled, forward.disabled) == (at == 0, at == 3)

    shows(1)
    for act, at in ((forward.click, 2), (forward.click, 3), (forward.click, 3), (back.click, 2),
                    (lambda: setattr(slider, "value", 0), 0), (back.click, 0),
                    (lambda: setattr(player, "value", 3), 3)):
        act()
        shows(at)


def test_the_player_opens_with_the_last_step_and_plays_as_fast_as_asked(run):
    player, *_, slider, _, _ = parts(viz.scrubber(run, interval_ms=50))
    assert (slider.value, slider.max, player.max, player.interval) == (3, 3, 3, 50)


def test_without_a_kernel_the_player_is_the_picture_of_its_step(run):
    box = viz.scrubber(run, at=2)
    data, metadata = box._repr_mimebundle_()
    assert data["image/png"] == viz.step(run, 2).png()
    assert "application/vnd.jupyter.widget-view+json" in data
    assert data["text/plain"] == viz.step(run, 2).text
    assert metadata == {"image/png": {"alt": "Step 2 of 3"}}
    parts(box)[3].value = 0
    assert box._repr_mimebundle_()[1] == {"image/png": {"alt": "Step 0 of 3"}}


# ---- tables and large traces --------------------------------------------------------------------------------------


def test_the_table_has_a_row_for_each_message():
    table = viz.table(LATE)
    assert table.columns == ["from", "to", "what", "bytes", "posted (µs)", "starts (µs)", "arrives (µs)", "taken (µs)"]
    assert table.rows == [["rank 0", "rank 1", "tag 7", 4_000, 0, 0, 3, 3],
                          ["rank 1", "rank 2", "all_reduce", 500, 0, 2, 7, 8],
                          ["rank 2", "rank 0", "push", 9, 0, 3, 7, 7],
                          ["rank 0", "rank 2", "tag 7", 4_000, 0, 7, 9, 9]]
    assert table.note == ""
    assert viz.table(LATE, rows=1).note == "... and 3 more messages, 4 in all"
    assert viz.table(LATE, rows=None).rows == table.rows
    assert viz.table(LATE, names="abc", between=(0.0, 2.5e-6)).column("from") == ["a", "b"]


def test_the_bytes_of_the_table_are_those_of_the_ledger():
    def program(comm):
        collectives.all_reduce(comm, torch.arange(101.0), algorithm="ring")

    run = SimWorld(5).run(program)
    assert sum(viz.table(run).column("bytes")) == run.ledger.total()
    assert set(viz.table(run).column("what")) == {"all_reduce"}


def test_a_window_shows_what_touches_it_only():
    picture = viz.spacetime(LATE, between=(7.5e-6, 10e-6))
    assert [row[:2] for row in picture.table.rows] == [["rank 0", "rank 2"]]
    low, high = picture.figure.axes[0].get_xlim()
    assert (low, high) == pytest.approx((7.5, 10.025))


def test_of_a_large_trace_the_first_messages_are_drawn_and_a_line_says_so():
    many = Trace(2, [Event(0, 1, "tensor", "0", 1, 0.0, i * 1e-3, i * 1e-3, i * 1e-3, i * 1e-3) for i in range(60)])
    picture = viz.spacetime(many, most=50)
    axes = picture.figure.axes[0]
    bands, = (c for c in axes.collections if isinstance(c, PolyCollection))
    assert len(bands.get_paths()) == 50
    line = "10 of 60 messages, which start after 49 ms, are not drawn"
    assert line in axes.get_xlabel()
    assert line in picture.text
    assert "not drawn" not in viz.spacetime(many, most=60).text


@pytest.mark.parametrize("K", [16, 64, 200])
def test_of_many_ranks_every_name_that_is_written_can_be_read(K):
    trace = Trace(K, [Event(r, (r + 1) % K, "tensor", "0", 1, 0.0, 0.0, 1.0, 2.0, 2.0) for r in range(K)])
    for picture in (viz.spacetime(trace), viz.step(trace, 1), viz.timeline(trace)):
        picture.png()
        axes = picture.figure.axes[0]
        boxes = sorted(t.get_window_extent().y0 for t in axes.get_yticklabels())
        height = axes.get_yticklabels()[0].get_window_extent().height
        assert min(np.diff(boxes)) > height
        assert len(boxes) >= min(K, 16)
        assert all(t.get_text() == f"rank {t.get_position()[1]:g}" for t in axes.get_yticklabels())
        assert picture.figure.get_figheight() <= 13
