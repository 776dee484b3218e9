"""Bytes of a push and a pull: what is drawn is what a run's ledger counts."""

import numpy as np
import pytest
import torch

from pslab import viz
from pslab.comm import SimWorld
from pslab.ps import KeyCaching, KVServer, KVWorker, SignificantlyModified, TableConfig, ValueCompression, serve
from pslab.viz.push_bytes import PARTS, push_pull_bytes

FILTERS = {"key caching": [KeyCaching()], "fp16": [ValueCompression("fp16")], "int8": [ValueCompression("int8")],
           "significant rows": [SignificantlyModified(1.0)],
           "all three": [KeyCaching(), ValueCompression("fp16"), SignificantlyModified(1.0)]}


def step(comm, way, rows, dim, sent, steps):
    """`steps` pulls and pushes of the same rows, of which `sent` have a gradient of 1, the others one of 0."""
    tables = [TableConfig("default", dim, 3 * rows)]
    if comm.rank:
        return serve(comm, KVServer(tables, 0, 1, [0]))
    keys = range(rows) if way == "a range" else np.arange(rows) * 3
    gradients = torch.zeros(rows, dim)
    gradients[:sent] = 1
    with KVWorker(comm, [1], tables, filters=FILTERS.get(way, [])) as kv:
        for _ in range(steps):
            if way == "pushpull":
                kv.wait(kv.pushpull(keys, gradients))
            else:
                kv.wait(kv.pull(keys))
                kv.wait(kv.push(keys, gradients))


def counted(*args):
    ledger = SimWorld(2, trace=False).run(step, *args).ledger
    return np.array([ledger.total("keys"), ledger.link(1, 0, "vals"), ledger.link(0, 1, "vals")])


@pytest.mark.parametrize(("rows", "dim", "sent"), [(40, 1, 40), (7, 16, 7), (40, 2, 10)])
@pytest.mark.parametrize("way", list(push_pull_bytes()))
def test_every_bar_is_what_a_run_moves(way, rows, dim, sent):
    held_back = way in ("significant rows", "all three")
    sent = sent if held_back else rows
    first, both = counted(way, rows, dim, sent, 1), counted(way, rows, dim, sent, 2)
    left_over = np.zeros(3, int)
    for known, run in ((False, first), (True, both - first)):
        pull_keys, pulled, push_keys, pushed = push_pull_bytes(rows, dim, known=known, share=sent / rows)[way]
        expected = np.array([pull_keys + push_keys, pulled, pushed])
        if way == "all three" and known and sent < rows:        # the held-back list is the same again, and known too
            left_over[0] = 8 * sent - 8
        assert (run + left_over == expected).all(), (known, run, expected)


def test_the_picture_stacks_the_parts_and_its_twin_adds_them_up():
    picture = viz.push_bytes(1000, 2, known=True, share=0.25)
    axes = picture.figure.axes[0]
    found = push_pull_bytes(1000, 2, known=True, share=0.25)
    assert [label.get_text() for label in axes.get_yticklabels()] == list(found)
    assert [text.get_text() for text in axes.get_legend().get_texts()] == [part for part, _ in PARTS]
    ends = [max(patch.get_x() + patch.get_width() for patch in axes.patches if abs(patch.get_y() + 0.35 - i) < 1e-6)
            for i in range(len(found))]
    assert [round(end * 1000) for end in ends] == [sum(parts) for parts in found.values()]
    assert picture.table.rows[0] == ["keys and float32", 8000, 8000, 8000, 8000, 32000, "100%"]
    assert picture.table.rows[2][-2:] == [8 + 8000 + 8 + 8000, "50%"]          # about half, with 8 bytes a value
    assert axes.get_xlabel() == "keys and values of a step (kB)"


def test_every_control_moves_the_picture():
    widget = viz.push_bytes_widget()
    controls = [child for child in widget.children if hasattr(child, "value")][:4]
    assert len(controls) == 4
    for control, value in zip(controls, (10, 16, True, 0.5)):
        before = widget.picture.table.rows
        control.value = value
        assert widget.picture.table.rows != before


@pytest.mark.parametrize(("settings", "words"), [({"rows": 0}, "rows=0; a whole number"), ({"dim": 1.5}, "dim=1.5"),
                                             ({"share": 1.1}, "share=1.1; a share from 0 to 1")])
def test_what_cannot_be_counted_is_refused(settings, words):
    with pytest.raises(ValueError, match=words):
        push_pull_bytes(**settings)
