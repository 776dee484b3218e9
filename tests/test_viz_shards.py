"""Pictures of sharding: the ring's arcs and keys, balance and movement, every control, errors."""

import numpy as np
import pytest

from pslab import viz
from pslab.ps import ConsistentHash, HashPartition, RangePartition, movement_plan

THREE, FOUR = (ConsistentHash(3, 2086).bind(None, S) for S in (3, 4))


def dots(axes):
    """Places of the keys, as (x, y): black points at radius 0.88."""
    return [line for line in axes.lines if line.get_marker() == "o" and len(line.get_xdata()) == 1
            and np.hypot(line.get_xdata()[0], line.get_ydata()[0]) < 0.95]


def test_shares_are_those_of_many_keys():
    keys = np.arange(200_000)
    for partition in (THREE, FOUR, FOUR.without(1), ConsistentHash(1, 5).bind(None, 4)):
        shares, counts = viz.ring_shares(partition), np.bincount(partition.owner(keys), minlength=4) / len(keys)
        assert sum(shares.values()) == pytest.approx(1.0)
        assert tuple(shares) == partition.servers
        assert [shares[server] for server in partition.servers] == pytest.approx(counts[list(shares)], abs=0.01)
    assert viz.ring_shares(ConsistentHash(1).bind(None, 1)) == {0: 1.0}


def test_each_arc_ends_at_its_owners_point_and_each_key_goes_to_the_next():
    picture = viz.hash_ring(THREE, FOUR, keys=range(1, 11), names=["before", "after"])
    for axes, partition in zip(picture.figure.axes, (THREE, FOUR)):
        places, owners = partition.ring()
        marks = [line for line in axes.lines if len(line.get_xdata()) == 1 and line not in dots(axes)]
        assert len(marks) == len(places) == 3 * len(partition.servers)
        for mark, place, owner in zip(marks, places / 2.0**64, owners):
            assert (mark.get_xdata()[0], mark.get_ydata()[0]) == pytest.approx(
                (np.sin(2 * np.pi * place), np.cos(2 * np.pi * place)))
            assert mark.get_color() == list(viz.LOOKS.values())[owner].color
        arcs = [line for line in axes.lines if len(line.get_xdata()) == 60]
        assert [arc.get_color() for arc in arcs] == [mark.get_color() for mark in marks]
        ends, at = (np.array([line.get_xydata()[-1] for line in lines]) for lines in (arcs, marks))
        assert np.allclose(ends, at, rtol=0, atol=1e-12)
        starts = np.array([arc.get_xydata()[0] for arc in arcs])
        assert np.allclose(starts, np.roll(at, 1, axis=0), rtol=0, atol=1e-12), "no gap between two arcs"
        ways = [line for line in axes.lines if len(line.get_xdata()) == 40]
        for way, key in zip(ways, range(1, 11), strict=True):
            owner = partition.owner(np.array([key]))[0]
            end = np.arctan2(way.get_xdata()[-1], way.get_ydata()[-1]) / (2 * np.pi) % 1
            assert min(abs(places[owners == owner] / 2.0**64 - end)) < 1e-9
            assert way.get_color() == list(viz.LOOKS.values())[owner].color


def test_keys_that_change_hands_have_a_circle_and_are_counted():
    keys = np.arange(1, 11)
    picture = viz.hash_ring(THREE, FOUR, keys=keys)
    changed = int((THREE.owner(keys) != FOUR.owner(keys)).sum())
    circles = [sum(dot.get_fillstyle() == "none" for dot in dots(axes)) for axes in picture.figure.axes]
    assert circles == [0, changed] == [0, 3]
    assert picture.table.note == "3 of 10 keys have another owner in the second"
    assert picture.table.rows[-1] == ["", 3, 3, f"{viz.ring_shares(FOUR)[3]:.1%}", "1, 2, 9"]
    assert viz.hash_ring(THREE).table.column("keys") == ["none"] * 3


def test_balance_and_movement_are_those_of_partitions():
    numbers, keys = viz.sharding(6, 16, keys=30_000, seed=4), np.arange(30_000)
    counts = np.bincount(ConsistentHash(16, 4).bind(None, 6).owner(keys), minlength=6)
    assert numbers["loads"] == pytest.approx(counts / 5000)
    for name, way in (("ring", ConsistentHash(16, 4)), ("ranges", RangePartition()), ("modulo", HashPartition(4))):
        plan = movement_plan(way.bind(30_000, 6), way.bind(30_000, 7))
        assert numbers["moved"][name] == plan.moved_fraction
    assert numbers["moved"]["ranges"] == pytest.approx(0.5, abs=1e-3)
    assert numbers["moved"]["modulo"] == pytest.approx(6 / 7, abs=0.01)


def test_the_picture_shows_the_numbers():
    picture, numbers = viz.shards(6, 16), viz.sharding(6, 16)
    left, right = picture.figure.axes
    assert [bar.get_height() for bar in left.patches] == pytest.approx(numbers["loads"])
    assert [bar.get_width() for bar in right.patches] == pytest.approx([100 * v for v in numbers["moved"].values()])
    assert right.lines[0].get_xdata()[0] == pytest.approx(100 / 7)
    assert f"{numbers['loads'].max():.2f} times the mean" in picture.title
    assert [row[0] for row in picture.table.rows if "moved" in row[0]] == [
        "moved, ring", "moved, even ranges", "moved, hash modulo S"]
    assert len({bar.get_hatch() for bar in right.patches}) == 3, "colour is never alone"


@pytest.mark.parametrize(("name", "value"), [("S", 3), ("points_each", 1)])
def test_each_control_moves_the_image_and_the_words(name, value):
    box = viz.shards_widget(keys=5_000)
    sliders, (image, words) = dict(zip(("S", "points_each"), box.children)), box.children[2:]
    assert bytes(image.value) == viz.shards(keys=5_000).png()
    before = bytes(image.value)
    sliders[name].value = value
    assert bytes(image.value) != before
    assert viz.shards(**{name: value}, keys=5_000).title in words.value


@pytest.mark.parametrize(("call", "message"), [
    (lambda: viz.hash_ring(), "0 partitions; one or two"),
    (lambda: viz.hash_ring(THREE, names=["a", "b"]), "names has 2 entries; there are 1"),
    (lambda: viz.hash_ring(ConsistentHash(128).bind(None, 3)), "384 points on the ring; at most 64"),
    (lambda: viz.shards(0), "S=0; the picture shows 1 to 64"),
    (lambda: viz.shards(65), "S=65; the picture shows 1 to 64"),
    (lambda: viz.shards(3, 0), "points_each=0; 1 to 1,024"),
    (lambda: viz.shards(3, 2048), "points_each=2048; 1 to 1,024"),
    (lambda: viz.shards(3, keys=3), "keys=3; more keys than servers"),
])
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
