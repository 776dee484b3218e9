"""Exercises 11.7.1 and 11.7.3 by formula: effects worked out by hand, boundaries of one row."""

import math

import pytest

from pslab import cost

INT4 = 68 / 512


@pytest.mark.parametrize(("change", "expected"), [
    (("stored", "int4"), (INT4, 1, 1)),
    (("wire", "int8"), (1, 136 / 512, 136 / 512)),
    (("requester cache", 0.85), (1, 0.15, 0.15)),
    (("owner cache", 0.85), (1, 1, 1)),
    (("hosts", 32), (1, (31 / 32) / (15 / 16), (31 / 32) / (15 / 16) / 2)),
    (("hashing", 10_000_000), (0.005, 1, 1)),
    (("quotient-remainder", 50_000), ((50_000 + 40_000) / 2e9, 2, 2)),
    (("slots", 2), (3, 1, 1)),
    (("de-duplication", 262_144), (1, 0.1, 0.1)),
])
def test_each_change_moves_the_budget_that_it_moves(change, expected):
    assert cost.effect(change) == pytest.approx(expected)
    spec = {"rows": 1001, "dim": 6, "slots": 1, "hosts": 3, "lookups": 50, "hit_rate": 0.5, "stored": "int8"}
    before = (1001 * (14 + 24), 0.5 * 50 * 2 / 3 * 24)
    if change[0] == "quotient-remainder":
        assert cost.effect(("quotient-remainder", 32), spec) == pytest.approx((64 * 38 / before[0], 2, 2))
    if change[0] == "hosts":                                    # of one host alone nothing crosses a link
        assert cost.effect(("hosts", 1), spec) == (1, 0, 0)
        assert cost.effect(("hosts", 2), {"hosts": 1}) == (1, math.inf, math.inf)


def test_a_copy_wins_by_a_row_and_not_by_none():
    spec = {"workers": 3, "dim": 2, "kind": "fp32", "steps": 40, "lookups": 90, "hits": 40, "touched": 10}
    # sharded 2·[40·50·16 + 40·10·16] = 76,800; replicated 2·[8R + 3·40·10·16]: equal at R = 2,400
    assert cost.replicate_wins({**spec, "rows": 2400}) == (False, 76_800, 76_800)
    assert cost.replicate_wins({**spec, "rows": 2399}) == (True, 76_800, 76_784)
    assert cost.replicate_wins({**spec, "rows": 2401})[0] is False
    held = 2399 * (8 + 4 * 2 * 1)
    for memory, wins in ((held, True), (held - 1, False)):
        assert cost.replicate_wins({**spec, "rows": 2399, "slots": 1, "memory_bytes": memory})[0] is wins
    assert cost.replicate_wins({**spec, "rows": 2399, "update_every": 0})[1:] == (64_000, 38_384)
    assert cost.replicate_wins({**spec, "rows": 2399, "update_every": 20})[1:] == (64_640, 40_304)


def test_the_terabyte_does_not_fit_whatever_it_moves():
    wins, sharded, replicated = cost.replicate_wins({"rows": 2_000_000_000, "update_every": 0, "steps": 10**6})
    assert replicated < sharded
    assert not wins


@pytest.mark.parametrize(("call", "words"), [
    (lambda: cost.effect("int4"), "change='int4'; .what, value."),
    (lambda: cost.effect(("stored", "int2")), "stored='int2'; allowed"),
    (lambda: cost.effect(("requester cache", 2)), "hit_rate=2; a share from 0 to 1"),
    (lambda: cost.effect(("hosts", 0)), "hosts=0"),
    (lambda: cost.effect(("hosts", 2), {"slots": -1}), "slots=-1"),
    (lambda: cost.replicate_wins({"kind": "int1"}), "kind='int1'; allowed"),
    (lambda: cost.replicate_wins({"hits": 200_000}), "hits=200000; at most 163840"),
    (lambda: cost.replicate_wins({"rows": 5}), "touched=29372; at most 5"),
])
def test_what_cannot_be_is_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()
