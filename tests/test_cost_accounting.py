"""Every printed number of section 11.9, and every figure that sets it right."""

import subprocess
import sys

import pytest

from pslab import cost

A = cost.accounting_11_9()


@pytest.mark.parametrize(("figure", "printed"), [
    ("all-reduce, busiest link", "0.35 GB"),
    ("server, busiest link", "3.20 GB"),
    ("dense ratio", "9.1x"),
    ("rows touched", "32,768"),
    ("share touched", "0.0328 %"),
    ("server, sparse step", "33.554 MB"),
    ("all-reduce of the table", "716.800 GB"),
    ("sparse ratio", "21,362x"),
])
def test_printed_number(figure, printed):
    assert A.printed()[figure] == printed


@pytest.mark.parametrize(("name", "exact"), [
    ("ring_one_way", 350_000_000),
    ("ring_both_ways", 700_000_000),
    ("ring_total", 2_800_000_000),
    ("server_one_way", 1_600_000_000),
    ("server_both_ways", 3_200_000_000),
    ("rows_touched", 32_768),
    ("sparse_total", 33_554_432),
    ("sparse_total_with_keys", 34_078_720),
    ("sparse_one_way", 16_777_216),
    ("table_bytes", 51_200_000_000),
    ("table_ring_total", 716_800_000_000),
    ("table_ring_one_way", 89_600_000_000),
    ("gather_total", 119_275_520),
    ("gather_memory_bytes", 51_200_000_000),
])
def test_exact_bytes(name, exact):
    value = getattr(A, name)
    assert value == exact
    assert isinstance(value, int)


def test_ratios():
    assert A.printed_dense_ratio == 64 / 7
    assert A.fair_dense_ratio == 32 / 7
    assert A.ring_both_ways / A.server_both_ways == A.ring_one_way / A.server_one_way
    assert A.printed_sparse_ratio == pytest.approx(21_362.3047, abs=1e-4)
    assert round(A.listing_sparse_ratio) == 2_670
    assert round(A.fair_sparse_ratio) == 5_341
    assert A.gather_over_server == 3.5
    assert f"{100 * A.touched_share_worker:.4f}" == "0.0041"


@pytest.mark.parametrize(("K", "gather_over_server"), [(2, 0.5), (3, 1.0), (8, 3.5)])
def test_gather_rule(K, gather_over_server):
    assert cost.accounting_11_9(K=K).gather_over_server == gather_over_server


@pytest.mark.parametrize(("knob", "value", "moves"), [
    ("P", 60_000_000, "ring_one_way"), ("K", 16, "server_one_way"), ("bytes_per_param", 2, "ring_one_way"),
    ("V", 10**8 + 1, "table_bytes"), ("D", 64, "sparse_total"), ("ids_per_step", 4095, "rows_touched"),
    ("key_bytes", 4, "gather_total"),
])
def test_each_knob_matters(knob, value, moves):
    assert getattr(cost.accounting_11_9(**{knob: value}), moves) != getattr(A, moves)


@pytest.mark.parametrize(("arguments", "message"), [
    ({"K": 1}, "K=1"), ({"P": 0}, "P=0"), ({"ids_per_step": 0}, "ids_per_step=0"),
    ({"V": 100, "ids_per_step": 101}, "unique ids can be at most V=100"), ({"bytes_per_param": 0}, "bytes_per_param=0"),
])
def test_bad_input_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        cost.accounting_11_9(**arguments)


def test_cost_is_pure_python():
    code = "import sys, pslab.cost; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"torch", "numpy"} & set(loaded)
    assert all(name.startswith("pslab.cost") for name in loaded if name.startswith("pslab."))
