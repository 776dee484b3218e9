"""What the builders stand on: comparing values, the inputs of trials, bounds, and functions without ranks."""

import math

import grade_toys as toys
import numpy as np
import pytest
import torch

from pslab.grade import Case, CourseError, NotYet, contracts
from pslab.grade.contracts import Between, difference

NAN = float("nan")


@pytest.mark.parametrize(("seen", "expected"), [
    (torch.tensor([1.0, 2.0]), np.array([1.0, 2.0])),
    (np.float32(2), 2),
    (torch.tensor(3), 3),
    (torch.tensor([NAN, 1.0]), torch.tensor([NAN, 1.0])),
    (NAN, NAN),
    ((1, [2.0]), [1, (2.0,)]),
    ({"a": torch.ones(2)}, {"a": torch.ones(2)}),
    (True, True), ("server", "server"), (None, None), ([], []),
    (torch.zeros(0, 3), torch.zeros(0, 3)),
    (torch.ones(2, dtype=torch.bfloat16), torch.ones(2)),
    (torch.sparse_coo_tensor([[1]], [2.0], (3,), check_invariants=True), torch.tensor([0.0, 2.0, 0.0])),
    (2**53 + 1, 2**53 + 1),
])
def test_equal_values_have_no_difference(seen, expected):
    assert difference(seen, expected) is None


@pytest.mark.parametrize(("seen", "expected", "said"), [
    (torch.tensor([1.0, 3.0]), torch.tensor([1.0, 2.0]), "element 1 is 3, expected 2 (1 of 2 elements differ)"),
    (torch.tensor([[1, 2], [3, 5]]), torch.tensor([[1, 2], [3, 4]]), "element 1, 1 is 5, expected 4"),
    (torch.ones(3), torch.ones(2), "shape (3,), expected (2,)"),
    ([1.0, 2.0], torch.ones(2), "[1.0, 2.0], expected a tensor of shape (2,)"),
    (np.array(["a"]), np.array([1.0]), "elements of kind"),
    (torch.tensor([NAN]), torch.tensor([1.0]), "element 0 is nan, expected 1"),
    (3, 4, "3, expected 4"),
    (True, 1, "True, expected the number 1"),
    (1, True, "1, expected True"),
    ("3", 3, "'3', expected the number 3"),
    (None, 3, "None, expected the number 3"),
    ("ring", "server", "'ring', expected 'server'"),
    ((1, 2), (1, 2, 3), "2 values, expected 3"),
    (5, (1,), "5, expected 1 values"),
    ([1, 2], [1, 3], "value 1: 2, expected 3"),
    ({"a": 1}, {"a": 2}, "key 'a': 1, expected 2"),
    ({}, {"a": 2}, "key 'a' is missing"),
    ({"a": 2, "b": 1}, {"a": 2}, "key 'b' should not be there"),
    (3, {}, "3, expected a dict"),
    (2**53 + 1, 2**53, "expected"),
    (torch.tensor([2**53 + 1]), torch.tensor([2**53]), "expected"),
    (1.0 + 1e-12, 1.0, "expected 1"),
])
def test_a_difference_is_named(seen, expected, said):
    assert said in difference(seen, expected)


def test_tolerances_hold_on_both_sides():
    assert difference(torch.tensor([1.001]), torch.tensor([1.0]), rtol=0.002) is None
    assert difference(torch.tensor([1.003]), torch.tensor([1.0]), rtol=0.002)
    assert difference(torch.tensor([0.997]), torch.tensor([1.0]), rtol=0.002)
    assert difference(1e-9, 0.0, atol=1e-8) is None
    assert difference(1e-7, 0.0, atol=1e-8)
    with pytest.raises(TypeError, match="compares with a set"):
        difference({1}, {1})


def test_nothing_is_near_infinity_but_infinity_itself():
    for far in (math.inf, -math.inf):
        assert difference(1.0, far, rtol=0.1) is not None
        assert difference(far, far, rtol=0.1) is None
        assert difference(torch.tensor([1.0, 2.0]), torch.tensor([1.0, far]), rtol=0.1) is not None
        assert difference(torch.tensor([1.0, far]), torch.tensor([1.0, far]), rtol=0.1) is None
    assert difference(1 + 1j, 1 + 1.001j, rtol=0.1) is None


def test_trials_have_every_world_size_and_length_and_tell_ranks_and_places_apart():
    trials = list(contracts.collective_trials(Case(3), toys.sums))
    assert sorted({t.K for t in trials}) == [1, 2, 3, 5, 7]
    for K in (2, 3, 5, 7):
        some = {t.P for t in trials if t.K == K and t.exact}
        assert {0, K - 1, 4099} <= some
        assert any(P % K and K < P < 100 for P in some), "one length that K does not divide"
        assert [t.exact for t in trials if t.K == K].count(False) == 1
    for t in trials:
        if t.exact:
            elements = torch.cat([x for x, in t.per_rank]).tolist()
            assert sorted(elements) == list(range(t.K * t.P)), "every element of every rank is another number"
            assert torch.equal(t.expected[0], torch.stack([x for x, in t.per_rank]).sum(0))


def test_hidden_cases_add_a_world_size_that_the_public_ones_do_not_have():
    extra = {frozenset(contracts.world_sizes(Case(seed, public=False))) - {1, 2, 3, 5, 7} for seed in range(40)}
    assert all(len(one) == 1 for one in extra)
    assert len(extra) > 2
    assert contracts.world_sizes(Case(1, public=False), most=3) == [1, 2, 3]
    first = [t.P for t in contracts.collective_trials(Case(1), toys.sums)]
    assert first == [t.P for t in contracts.collective_trials(Case(1), toys.sums)]
    assert first != [t.P for t in contracts.collective_trials(Case(2), toys.sums)]


def test_inputs_that_cannot_be_exact_are_refused():
    with pytest.raises(CourseError, match="not exact in float32"):
        list(contracts.collective_trials(Case(1), toys.sums, large=400_000))


def test_bounds_say_what_they_allow():
    texts = [str(contracts.exactly(48)), str(contracts.at_most(2000)), str(contracts.at_least(5)),
             str(contracts.between(5, 2000))]
    assert texts == ["48", "at most 2,000", "at least 5", "5 to 2,000"]
    for low, high in ((5, 4), (-1, 4)):
        with pytest.raises(ValueError, match="0 <= low <= high"):
            Between(low, high)


# ---- formula -------------------------------------------------------------------------------------------------------


def half(K, P):
    return 2 * (K - 1) * P


def formula(**changes):
    settings = {"otherwise": "8/other", "explains": {"8/whole": lambda K, P: K * (K - 1) * P,
                                                     "8/one-way": lambda K, P: (K - 1) * P}}
    return contracts.formula("f", lambda case: [(2, 10), (3, 10), (5, 7)], half, **{**settings, **changes})


def judged(function, **changes):
    return formula(**changes)(toys.Fake(f=function), Case(1))


def test_a_formula_is_judged_on_all_questions():
    assert judged(half).passed
    verdict = judged(lambda K, P: K * (K - 1) * P)
    assert verdict.misconception == "8/whole", "at K = 2 both agree; what all answers say decides"
    assert (verdict.expected, verdict.seen) == ("f(3, 10) = 40", "60 (2 of 3 questions differ)")
    assert judged(lambda K, P: (K - 1) * P).misconception == "8/one-way"
    assert judged(lambda K, P: 7).misconception == "8/other"
    assert judged(lambda K, P: "much").seen.startswith("'much' (3 of 3")
    beliefs = {"8/sixty": lambda K, P: 60, "8/whole": lambda K, P: K * (K - 1) * P}
    assert judged(lambda K, P: K * (K - 1) * P, explains=beliefs).misconception == "8/whole", "both give the first one"
    beliefs = {"8/ten": lambda K, P: 10, "8/one-way": lambda K, P: (K - 1) * P}
    late = judged(lambda K, P: half(K, P) if K == 3 else (K - 1) * P, explains=beliefs)
    assert late.misconception == "8/one-way", "all wrong answers together tell more than the first of them"
    mixed = judged(lambda K, P: (K - 1) * P if K == 2 else 0)
    assert mixed.misconception == "8/one-way", "the first wrong answer tells it"


def test_a_formula_may_have_a_tolerance_and_a_share_that_must_be_right():
    def near(K, P):
        return half(K, P) * (1 + 1e-6)

    assert not judged(near).passed
    assert judged(near, rtol=1e-5).passed
    assert not judged(lambda K, P: half(K, P) if K < 5 else 0).passed
    assert judged(lambda K, P: half(K, P) if K < 5 else 0, at_least=2).passed
    assert not judged(lambda K, P: half(K, P) if K < 3 else 0, at_least=2).passed


def test_a_formula_passes_on_what_stops_it():
    def stub(K, P):
        raise NotImplementedError("8.1")

    with pytest.raises(NotYet):
        judged(stub)
    with pytest.raises(CourseError, match="no question"):
        contracts.formula("f", lambda case: [], half, otherwise="8/x")(toys.Fake(f=half), Case(1))
