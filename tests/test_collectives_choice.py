"""α and β fitted to measured times; the fastest all-reduce by them; and what `auto` makes of it."""

import math
import re

import numpy as np
import pytest
from collectives_oracle import inputs
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.optimize import nnls

from pslab import cost
from pslab.collectives import all_reduce
from pslab.comm import Link, SimWorld

ALPHA_S, BANDWIDTH_BPS = 10e-6, 12.5e9
SIZES = [0, 8, 1_000, 4_096, 65_536, 1_000_000, 64_000_000]
SPREAD = [4**i for i in range(1, 14)]


# ---- fit -------------------------------------------------------------------------------------------------------------

@settings(max_examples=40)
@given(st.floats(1e-7, 1e-2), st.floats(1e6, 1e11), st.sampled_from(["relative", "equal"]))
def test_known_alpha_and_beta_come_back(alpha_s, bandwidth_Bps, weights):
    """The times are rounded to 53 bits: α is known to about 1e-16 of the longest time that counts."""
    sizes = [0, 100, 4_096, 65_536, 1_000_000]
    model = cost.fit([(n, alpha_s + n / bandwidth_Bps) for n in sizes], weights)
    shortest_beta_s, longest_s = 1e2 / bandwidth_Bps, alpha_s + 1e6 / bandwidth_Bps
    assert model.bandwidth_Bps == pytest.approx(bandwidth_Bps, rel=1e-9, abs=0) or alpha_s > 1e3 * shortest_beta_s
    assert model.alpha_s == pytest.approx(alpha_s, rel=1e-9, abs=1e-15 * longest_s)


@pytest.mark.parametrize("weights", ["relative", "equal", [1, 2, 3, 4, 5, 6, 7]])
@pytest.mark.parametrize(("alpha_s", "bandwidth_Bps"), [(10e-6, 12.5e9), (1e-3, 125e6), (50e-6, 1e9), (0.0, 1e9)])
def test_to_nine_digits(weights, alpha_s, bandwidth_Bps):
    measured = [(n, alpha_s + n / bandwidth_Bps) for n in (SIZES if alpha_s else [n + 8 for n in SIZES])]
    model = cost.fit(measured, weights)
    assert model.alpha_s == pytest.approx(alpha_s, rel=1e-9, abs=1e-14)
    assert model.bandwidth_Bps == pytest.approx(bandwidth_Bps, rel=1e-9)
    assert model.beta_s_per_byte == pytest.approx(1 / bandwidth_Bps, rel=1e-9)
    for n, seconds in measured:
        assert model.seconds(n) == pytest.approx(seconds, rel=1e-9)


def test_noise_of_five_percent_is_averaged_out():
    """Errors that grow with the time: 'relative' finds both, 'equal' hears the long messages alone and misses α."""
    off = {"relative": [], "equal": []}
    for seed in range(5):
        rng = np.random.default_rng(seed)
        measured = [(n, (ALPHA_S + n / BANDWIDTH_BPS) * (1 + 0.05 * rng.standard_normal())) for n in SPREAD * 20]
        model = cost.fit(measured)
        assert model.alpha_s == pytest.approx(ALPHA_S, rel=0.02)
        assert model.bandwidth_Bps == pytest.approx(BANDWIDTH_BPS, rel=0.02)
        for weights, errors in off.items():
            errors.append(abs(cost.fit(measured, weights).alpha_s - ALPHA_S))
    assert sum(off["equal"]) > 5 * sum(off["relative"])


@settings(max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 10**6), st.floats(1e-4, 1.0), st.floats(0.1, 10)), min_size=3, max_size=12))
def test_it_is_the_least_squares_with_alpha_not_below_zero(rows):
    """Against scipy's non-negative least squares, for any times at all."""
    n, seconds, weights = map(np.array, zip(*rows))
    root = np.sqrt(weights)
    columns = np.stack([root, root * n / 1e6], axis=1)
    (_, beta), residual = nnls(columns, root * seconds)
    measured = list(zip(n.tolist(), seconds.tolist()))
    assume(len(set(n)) > 1 and beta > 1e-6)              # what is refused is below
    model = cost.fit(measured, weights.tolist())
    assert model.alpha_s >= 0
    left = np.linalg.norm(columns @ [model.alpha_s, 1e6 / model.bandwidth_Bps] - root * seconds)
    assert left == pytest.approx(residual, rel=1e-6, abs=1e-9)


def test_each_weight_counts():
    measured = [(0, 1.0), (1_000_000, 2.0), (1_000_000, 4.0)]
    assert cost.fit(measured, [1, 1, 0]).bandwidth_Bps == pytest.approx(1e6)
    assert cost.fit(measured, [1, 0, 1]).bandwidth_Bps == pytest.approx(1e6 / 3)
    assert cost.fit(measured, "equal").bandwidth_Bps == pytest.approx(1e6 / 2)
    assert cost.fit(measured).bandwidth_Bps == pytest.approx(1e6 / 1.4)              # (4·2 + 1·4)/5 − 1


def test_times_that_start_below_zero_give_no_alpha():
    model = cost.fit([(100, 1e-3), (200, 3e-3)], "equal")
    assert model.alpha_s == 0
    assert model.bandwidth_Bps == pytest.approx((100**2 + 200**2) / (100e-3 + 600e-3))


@pytest.mark.parametrize(("measured", "weights", "message"), [
    ([], "relative", "measured has 0 pairs of 0 sizes; two different sizes, or more, are needed"),
    ([(8, 1.0), (8, 2.0)], "relative", "measured has 2 pairs of 1 sizes"),
    ([(8, 1.0), (-1, 2.0)], "relative", "measured has (-1 bytes, 2 s)"),
    ([(8, 0.0), (9, 2.0)], "relative", "measured has (8 bytes, 0 s); 0 or more bytes, and more than 0 seconds"),
    ([(8, float("nan")), (9, 2.0)], "relative", "measured has (8 bytes, nan s)"),
    ([(8, 2.0), (9, 1.0)], "equal", "longer messages that take no longer"),
    ([(8, 1.0), (9, 2.0)], "uniform", "weights='uniform'; allowed: 'relative', 'equal', or one number for each pair"),
    ([(8, 1.0), (9, 2.0)], [1.0], "weights has 1 entries; one number of 0 or more for each of the 2 pairs"),
    ([(8, 1.0), (9, 2.0)], [1.0, -1], "weights has 2 entries; one number of 0 or more"),
    ([(8, 1.0), (9, 2.0)], [0, 0], "weights are all 0"),
    ([(8, 1.0), (9, 2.0)], [0, 1], "weights leave fewer than two sizes")])
def test_what_cannot_be_fitted(measured, weights, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        cost.fit(measured, weights)


def test_a_model_needs_an_alpha_and_a_bandwidth():
    for alpha_s, bandwidth_Bps in ((-1, 1e9), (float("nan"), 1e9), (0, 0)):
        with pytest.raises(ValueError, match=r"alpha_s=|bandwidth_Bps="):
            cost.AlphaBeta(alpha_s, bandwidth_Bps)
    assert cost.AlphaBeta(1e-3, 1e6).seconds(1_000, rounds=3) == pytest.approx(4e-3)


# ---- which algorithm -------------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("K", "switch"), [(1, 0), (2, 0), (3, 0), (4, 100_000), (8, 235_294), (16, 448_980),
                                           (64, 1_420_561)])
def test_where_tree_and_ring_switch(K, switch):
    n = cost.ring_from_bytes(K, ALPHA_S, BANDWIDTH_BPS)
    assert round(n) == switch
    among = ("ring", "binomial")
    for just, right in ((0.999, "binomial"), (1.001, "ring")):
        best = cost.best_all_reduce(n * just, K, ALPHA_S, BANDWIDTH_BPS, among)
        assert best.algorithm == (right if switch else "ring")
    assert cost.best_all_reduce(0, K, ALPHA_S, BANDWIDTH_BPS, among).algorithm == ("binomial" if switch else "ring")
    assert cost.ring_from_bytes(K, 2 * ALPHA_S, BANDWIDTH_BPS / 4) == pytest.approx(n / 2)


@settings(max_examples=40)
@given(st.integers(4, 300), st.floats(1e-7, 1e-3), st.floats(1e6, 1e11),
       st.sampled_from(("binomial", "halving_doubling", "recursive_doubling")))
def test_at_the_switch_both_take_equally_long(K, alpha_s, bandwidth_Bps, other):
    n = cost.ring_from_bytes(K, alpha_s, bandwidth_Bps, other)
    if n == math.inf:
        assert (other, K & (K - 1)) == ("halving_doubling", 0), "as few bytes as the ring, and fewer rounds"
        return
    seconds = cost.best_all_reduce(n, K, alpha_s, bandwidth_Bps).seconds
    assert seconds["ring"] == pytest.approx(seconds[other], rel=1e-9)


@settings(max_examples=40)
@given(st.integers(1, 300), st.integers(0, 10**9))
def test_halving_doubling_is_never_slower_than_the_tree(K, n):
    seconds = cost.best_all_reduce(n, K, ALPHA_S, BANDWIDTH_BPS).seconds
    assert seconds["halving_doubling"] <= seconds["binomial"] * (1 + 1e-12)
    if K <= 3:
        assert cost.ring_from_bytes(K, ALPHA_S, BANDWIDTH_BPS, "halving_doubling") == 0
        assert seconds["ring"] == min(s for name, s in seconds.items() if name != "recursive_doubling")


@settings(max_examples=40)
@given(st.integers(2, 300), st.floats(1e-7, 1e-3), st.floats(1e6, 1e11))
def test_recursive_doubling_is_for_the_shortest(K, alpha_s, bandwidth_Bps):
    """Its rounds are the fewest of all, and its bytes the most: first there is it, and then never again."""
    assert cost.best_all_reduce(0, K, alpha_s, bandwidth_Bps).algorithm == "recursive_doubling"
    long = cost.best_all_reduce(1e15, K, alpha_s, bandwidth_Bps).algorithm
    assert (long == "recursive_doubling") == (K == 2), "with two ranks everyone's bytes are those of the ring"
    assert (cost.ring_from_bytes(K, alpha_s, bandwidth_Bps, "recursive_doubling") == math.inf) == (K == 2)


@pytest.mark.parametrize("K", [4, 5, 8])
def test_both_sides_of_the_switch_in_the_simulator(K):
    link = Link(latency_s=0.0, overhead_s=1e-4, bandwidth_Bps=1e8)
    n = cost.ring_from_bytes(K, 1e-4, 1e8)
    for factor, right in ((0.9, "binomial"), (1.1, "ring")):
        P = round(n * factor / 4)
        seconds = {name: SimWorld(K, link=link, trace=False).run(
            lambda comm, P=P, name=name: all_reduce(comm, np.zeros(P, np.float32), algorithm=name)).seconds
            for name in ("ring", "binomial")}
        assert min(seconds, key=seconds.get) == right


@settings(max_examples=40)
@given(st.integers(1, 40), st.integers(0, 40))
def test_the_forms_compared_are_those_of_the_ports_where_pieces_are_even(K, times):
    P = K * times * 2 ** (K.bit_length() - 1)
    seconds = cost.best_all_reduce(4 * P, K, 1e-3, 1e6).seconds
    for name, traffic in (("ring", cost.ring_all_reduce(P, K)), ("binomial", cost.binomial_all_reduce(P, K)),
                          ("recursive_doubling", cost.recursive_doubling_all_reduce(P, K))):
        assert seconds[name] == pytest.approx(traffic.seconds(1e-3, 1e6), rel=1e-9)
    H = 2 ** int(math.log2(K))
    assert seconds["halving_doubling"] == pytest.approx(
        cost.halving_doubling_all_reduce(P, K).seconds(1e-3, 1e6), rel=1e-9)
    if H == K:
        assert seconds["halving_doubling"] <= min(seconds["ring"], seconds["binomial"]) * (1 + 1e-12)


@pytest.mark.parametrize(("call", "message"), [
    (lambda: cost.best_all_reduce(10, 0, 1e-5, 1e9), "K=0; a whole number of 1 or more"),
    (lambda: cost.best_all_reduce(-1, 4, 1e-5, 1e9), "payload_bytes=-1; 0 or more bytes"),
    (lambda: cost.best_all_reduce(10, 4, -1, 1e9), "alpha_s=-1"),
    (lambda: cost.best_all_reduce(10, 4, 1, 1e9, ("ring", "tree")),
     "among has 'tree'; allowed: ring, binomial, halving_doubling, recursive_doubling"),
    (lambda: cost.best_all_reduce(10, 4, 1, 1e9, ()), "among is empty"),
    (lambda: cost.ring_from_bytes(0, 1, 1e9), "K=0"), (lambda: cost.ring_from_bytes(4, 1, 0), "bandwidth_Bps=0"),
    (lambda: cost.ring_from_bytes(4, 1, 1e9, "ring"), "instead_of='ring'; allowed: binomial, halving_doubling, "),
    (lambda: cost.binomial_reduce(10, 4, dst=4), "dst=4; ranks run from 0 to 3"),
    (lambda: cost.halving_doubling_all_reduce(-1, 4), "elements=-1"),
    (lambda: cost.halving_doubling_all_reduce(1, 0), "K=0"),
    (lambda: cost.halving_doubling_all_reduce(1, 2, 0), "itemsize=0"),
    (lambda: cost.chunked_ring_all_reduce(1, 2, 0), "chunks=0"),
    (lambda: cost.chunked_ring_s(1, 2, 1, overhead_s=0, latency_s=-1, bandwidth_Bps=1), "latency_s=-1"),
    (lambda: cost.chunked_ring_s(1, 2, 1, overhead_s=0, latency_s=0, bandwidth_Bps=0), "bandwidth_Bps=0"),
    (lambda: cost.hierarchical_all_reduce(1, [[0, 1], [1]]), "each of the ranks 0..2 in exactly one group"),
    (lambda: cost.hierarchical_all_reduce(1, []), "len(groups)=0"),
    (lambda: cost.scatter([1, 2], 2), "src=2; ranks run from 0 to 1"),
    (lambda: cost.gather([1, 2], 2), "dst=2; ranks run from 0 to 1"), (lambda: cost.gather([], 0), "=0; a whole")])
def test_bad_input_of_the_forms_is_named(call, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        call()


# ---- auto ------------------------------------------------------------------------------------------------------------

def trace_of(K, P, **options):
    run = SimWorld(K).run(lambda comm, x: all_reduce(comm, x, **options), per_rank=[(x,) for x in inputs(K, P)])
    return run.trace.to_bytes()


@pytest.mark.parametrize("K", [1, 2, 3, 4, 5, 7, 8])
def test_auto_is_the_ring_unless_a_model_says_otherwise(K):
    for P in (1, 1000):
        assert trace_of(K, P) == trace_of(K, P, algorithm="auto") == trace_of(K, P, algorithm="ring")
        for model in (cost.AlphaBeta(1.0, 1e9), cost.AlphaBeta(0.0, 1e3), Link(0.5, 0.5, 1e9)):
            link = model if isinstance(model, cost.AlphaBeta) else cost.AlphaBeta(
                model.latency_s + model.overhead_s, model.bandwidth_Bps, model.overhead_s)
            best = cost.fastest_all_reduce(P, K, link).algorithm
            assert trace_of(K, P, model=model) == trace_of(K, P, algorithm=best)


def test_the_model_and_the_size_decide():
    slow, fast = cost.AlphaBeta(1.0, 1e9), cost.AlphaBeta(0.0, 1e3)
    assert trace_of(5, 999, model=slow) == trace_of(5, 999, algorithm="recursive_doubling") != trace_of(5, 999)
    assert trace_of(5, 999, model=fast) == trace_of(5, 999)
    for link in (Link(1.0, 0.0, 1e9), Link(0.0, 1.0, 1e9)):            # either part of α counts
        assert trace_of(5, 999, model=link) == trace_of(5, 999, model=slow)
    middle = cost.AlphaBeta(1e-5, 1e8)                   # K = 7: doubling up to 3,500 bytes, the ring from there on
    assert cost.ring_from_bytes(7, 1e-5, 1e8, "recursive_doubling") == pytest.approx(3_500)
    assert trace_of(7, 865, model=middle) == trace_of(7, 865, algorithm="recursive_doubling") != trace_of(7, 865)
    assert trace_of(7, 882, model=middle) == trace_of(7, 882)


@pytest.mark.parametrize(("options", "message"), [
    ({"algorithm": "tree"}, "algorithm='tree'; allowed: auto, ring, chunked_ring, binomial, halving_doubling, recu"),
    ({"chunks": 2}, "chunks= belongs to algorithm='chunked_ring'; this call has algorithm='auto'"),
    ({"algorithm": "ring", "groups": 2}, "groups= belongs to algorithm='hierarchical'; this call has algorithm='ring'"),
    ({"algorithm": "ring", "model": cost.AlphaBeta(0, 1)}, "model= belongs to algorithm='auto'"),
    ({"model": (1e-5, 1e9)}, "model=(1e-05, 1000000000.0); a pslab.cost.Fitted (of pslab.collectives.fit), a pslab"),
    ({"algorithm": "chunked_ring", "chunks": 0}, "chunks=0; a whole number of 1 or more"),
    ({"algorithm": "chunked_ring", "chunks": 2.0}, "chunks=2.0; a whole number"),
    ({"algorithm": "chunked_ring", "chunks": True}, "chunks=True; a whole number"),
    ({"algorithm": "hierarchical"}, "algorithm='hierarchical' needs groups="),
    ({"algorithm": "hierarchical", "groups": 0}, "groups=0; the size of a group, 1 or more"),
    ({"algorithm": "hierarchical", "groups": "01"}, "groups='01'; each of the ranks 0..2"),
    ({"algorithm": "hierarchical", "groups": [0, 1, 2]}, "groups=[0, 1, 2]; the size of a group, or a list of lists"),
    ({"algorithm": "hierarchical", "groups": [[0, 1]]}, "groups=[[0, 1]]; each of the ranks 0..2 must be in exactly"),
    ({"algorithm": "hierarchical", "groups": [[0, 1], [1, 2]]}, "each of the ranks 0..2 must be in exactly one group"),
    ({"algorithm": "hierarchical", "groups": [[0, 1, 2], []]}, "has an empty group")])
def test_options_are_validated_before_anything_is_sent(options, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        SimWorld(3).run(lambda comm: all_reduce(comm, np.ones(3), **options))
