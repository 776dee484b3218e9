"""The cost model of section 11.7: its printed numbers to the digit, what stands beside them, and the sums behind."""

import numpy as np
import pytest
from scipy import special

from pslab import cost

CHAPTER = cost.chapter_popularity()
SMALL = cost.zipf_popularity(1.1, 3000)


# ---- the printed table ------------------------------------------------------------------------------------------


def test_every_printed_number_of_the_chapter():
    assert cost.chapter_printed() == {
        "rows": "2,000,000,000", "dim": "128", "table": "1.024 TB", "hosts": "16", "rows per host": "125,000,000",
        "bytes per host": "64.0 GB",
        "cache of 0 rows": "0.00 MB, hit rate 0.000, 1342.2 MB a step, 13.42 ms",
        "cache of 100 rows": "0.05 MB, hit rate 0.576, 568.8 MB a step, 5.69 ms",
        "cache of 1000 rows": "0.51 MB, hit rate 0.751, 333.7 MB a step, 3.34 ms",
        "cache of 5000 rows": "2.56 MB, hit rate 0.850, 200.9 MB a step, 2.01 ms",
        "int8": "0.256 TB, 4.0x", "int4": "0.128 TB, 8.0x"}


def test_the_table_is_its_seed_and_its_formula_prints_another():
    rates = [[round(line.hit_rate, 6) for line in cost.chapter_table(seed=seed)] for seed in (0, 1, 2, 3)]
    assert rates[0] == [0, 0.5762, 0.7514, 0.85035]
    assert [[f"{rate:.3f}" for rate in each[1:]] for each in rates[1:]] == [
        ["0.580", "0.751", "0.853"], ["0.577", "0.752", "0.854"], ["0.579", "0.754", "0.851"]]
    expected = [line.expected_hit_rate for line in cost.chapter_table()]
    assert np.round(expected, 6).tolist() == [0, 0.575578, 0.749785, 0.85]          # 0.749785 would print 0.750
    assert len(set(cost.chapter_lookups())) == 5369


def test_what_the_table_leaves_out():
    assert {name: round(step.fetch_bytes / 1e6) for name, step in cost.chapter_designs().items()} == {
        "naive": 1342, "cache alone, stale reads": 201, "de-duplication alone": 241, "both, stale reads": 201,
        "both, exact BSP": 241}
    left_out = {line.what: line.fair for line in cost.chapter_left_out()}
    assert round(left_out["hit rate of 5,000 rows"], 3) == 0.671
    assert left_out["rows for a hit rate of 0.85"] == 747_408
    assert round(left_out["hit rate on distinct ids"], 3) == 0.163
    assert round(left_out["naive step, rows at home not counted"], 1) == 1258.3
    assert round(left_out["naive step"], 2) == 0.84
    assert (left_out["memory of a host"], left_out["memory of a host, row-wise AdaGrad"]) == (192, 64.5)
    assert round(left_out["int8 rows, times smaller"], 2) == 3.76
    assert round(left_out["int4 rows, times smaller"], 2) == 7.53
    assert all(line.why and line.fair != line.printed for line in cost.chapter_left_out())


# ---- popularity -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("exponent", [0.0, 0.9, 1.0, 1.1])
def test_a_zipf_over_two_billion_rows_sums_as_the_zeta_function_does(exponent):
    rows = 2_000_000_000
    law = cost.zipf_popularity(exponent, rows)
    if exponent > 1:
        norm, top = (special.zeta(exponent) - special.zeta(exponent, k + 1) for k in (rows, 5000))
        assert law.top_share(5000) == pytest.approx(top / norm, 1e-9)
    if exponent == 1:
        assert 1 / law.probability[0] == pytest.approx(special.digamma(rows + 1) + np.euler_gamma, 1e-12)
    if exponent == 0:
        assert law.top_share(5_000_000) == pytest.approx(0.0025)
    assert law.rows == rows
    assert law.counts @ law.probability == pytest.approx(1)
    assert cost.zipf_popularity(exponent, rows, 1 << 14).expected_unique(1e6) == pytest.approx(
        law.expected_unique(1e6), rel=2e-5)


def test_distinct_rows_of_a_batch_are_as_drawn():
    p = np.arange(1, 3001) ** -1.1
    p /= p.sum()
    rng = np.random.default_rng(5)
    for n in (1, 50, 2000):
        drawn = [len(np.unique(rng.choice(3000, n, p=p))) for _ in range(200)]
        error = np.std(drawn) / np.sqrt(200)
        assert abs(np.mean(drawn) - SMALL.expected_unique(n)) <= 4 * error + 1e-9
    assert SMALL.expected_unique(1) == pytest.approx(1)


def test_rows_for_a_share_is_the_inverse_of_the_share_of_the_top():
    for share in (0.0, 0.3, 0.85, 1.0):
        rows = SMALL.rows_for_share(share)
        assert SMALL.top_share(rows) >= share - 1e-12
        assert rows == 0 or SMALL.top_share(rows - 1) < share


def test_a_stream_has_the_popularity_that_it_shows():
    law = cost.popularity_of([7, 7, 7, 2, 2, 9], rows=5)
    assert law.top_share(1) == 0.5
    assert law.top_share(2) == pytest.approx(5 / 6)
    assert law.rows == 5
    assert law.expected_unique(1e9) == pytest.approx(3)


def test_an_lru_cache_hits_as_che_says():
    law, rng = cost.zipf_popularity(0.9, 2000), np.random.default_rng(1)
    p = np.repeat(law.probability, law.counts)
    ids = rng.choice(2000, 40_000, p=p / p.sum()).tolist()
    for capacity in (20, 300):
        line, hits = {}, 0
        for id in ids:
            hits += line.pop(id, 0)
            line[id] = 1
            if len(line) > capacity:
                line.pop(next(iter(line)))
        assert cost.cache_hit_rate(law, capacity, "lru") == pytest.approx(hits / len(ids), abs=0.012)
        assert cost.cache_hit_rate(law, capacity) == law.top_share(capacity) > hits / len(ids)
    assert cost.cache_hit_rate(law, 2000, "lru") == 1


# ---- a step -----------------------------------------------------------------------------------------------------


def counted(law, capacity, batch, lookups, workers, dedup, s, steps=120, seed=0):
    """Rows fetched a step by workers with the hottest rows cached for s clocks, one by one."""
    p = np.repeat(law.probability, law.counts)
    rng, n, fetched = np.random.default_rng(seed), batch * lookups // workers, 0
    warm = steps // 3
    for _ in range(workers):
        good = np.full(len(p), -1.0)
        for step in range(steps):
            ids = rng.choice(len(p), n, p=p / p.sum())
            for id in (np.unique(ids) if dedup else ids):
                if id >= capacity or good[id] < step:
                    fetched += step >= warm
                    good[id] = step + s
    return fetched / (steps - warm)


@pytest.mark.parametrize("dedup", [True, False])
@pytest.mark.parametrize("s", [0, 1, 5])
def test_rows_of_a_step_are_as_counted(dedup, s):
    law = cost.zipf_popularity(1.1, 400)
    step = cost.embedding_step(law, capacity=40, batch=20, lookups=6, workers=2, dim=8, dedup=dedup, consistency=s)
    assert step.fetched == pytest.approx(counted(law, 40, 20, 6, 2, dedup, s), rel=0.04)
    assert step.pushed == pytest.approx(step.unique if dedup else 120)
    assert step.fetch_bytes == step.fetched * 32


def test_an_lru_cache_of_any_age_misses_as_one_that_is_asked_id_by_id():
    law = cost.zipf_popularity(0.9, 2000)
    step = cost.embedding_step(law, capacity=300, batch=4, lookups=1, workers=4, consistency="stale", policy="lru")
    assert step.fetched / 4 == pytest.approx(1 - cost.cache_hit_rate(law, 300, "lru"))
    young = cost.embedding_step(law, capacity=300, batch=4, lookups=1, workers=4, consistency=200, policy="lru")
    assert 4 > young.fetched > step.fetched


def test_every_setting_of_a_step_matters():
    base = {"capacity": 100, "batch": 64, "lookups": 4, "dim": 8, "workers": 4, "consistency": 3}
    first = cost.embedding_step(SMALL, **base).total_bytes
    for change in ({"capacity": 200}, {"batch": 128}, {"lookups": 5}, {"dim": 9}, {"workers": 2}, {"dedup": False},
                   {"consistency": "bsp"}, {"consistency": "stale"}, {"wire_bytes_per_number": 2},
                   {"wire_bytes_per_row": 8}, {"key_bytes": 8}, {"remote_share": 0.75}, {"policy": "lru"}):
        assert cost.embedding_step(SMALL, **{**base, **change}).total_bytes != first, change
    assert cost.embedding_step(cost.zipf_popularity(1.0, 3000), **base).total_bytes != first


def test_memory_and_the_chapters_formula():
    assert cost.table_bytes(2_000_000_000, 128) == 1.024e12
    assert cost.table_bytes(10, 8, 4, 16) == 10 * (32 + 64)                         # Adam: two numbers for each one
    assert [cost.row_bytes(128, kind) for kind in ("fp32", "fp16", "int8", "int4")] == [512, 256, 136, 68]
    assert cost.row_bytes(5, "int4") == 3 + 4
    assert cost.all_to_all_bytes(65536, 40, 128) == 1_342_177_280
    assert cost.all_to_all_bytes(65536, 40, 128, 4, 0.85, 15 / 16) == pytest.approx(188_743_680)
    assert cost.step_flop(60_000_000, 65536) == pytest.approx(23.6e12, rel=2e-3)


@pytest.mark.parametrize(("call", "words"), [
    (lambda: cost.zipf_popularity(-1, 5), "exponent=-1; a finite number from 0"),
    (lambda: cost.chapter_popularity(100, 200), "head=200; 1 to rows-1=99"),
    (lambda: cost.popularity_of([]), "ids is empty"),
    (lambda: SMALL.top_share(-1), "capacity=-1; a number of rows from 0"),
    (lambda: SMALL.rows_for_share(1.1), "share=1.1; a share from 0 to 1"),
    (lambda: SMALL.expected_unique(-1), "lookups=-1"),
    (lambda: cost.cache_hit_rate(SMALL, 5, "fifo"), "policy='fifo'; allowed: 'top-k', 'lru'"),
    (lambda: cost.embedding_step(SMALL, policy="lru", dedup=False), "policy='lru' needs dedup=True"),
    (lambda: cost.embedding_step(SMALL, consistency="ssp"), "consistency='ssp'; allowed: 'bsp', 'stale'"),
    (lambda: cost.embedding_step(SMALL, consistency=-1), "consistency=-1"),
    (lambda: cost.embedding_step(SMALL, batch=0), "batch=0"),
    (lambda: cost.embedding_step(SMALL, key_bytes=-8), "key_bytes=-8; a number of bytes from 0"),
    (lambda: cost.embedding_step(SMALL, wire_bytes_per_number=0), "wire_bytes_per_number=0; a finite number above 0"),
    (lambda: cost.all_to_all_bytes(1, 1, 1, 4, 1.5), "hit_rate=1.5; a share from 0 to 1"),
    (lambda: cost.row_bytes(8, "int2"), "kind='int2'; allowed: fp32, fp16, int8, int4"),
    (lambda: cost.table_bytes(1, 1, 4, -1), "state_floats=-1"),
    (lambda: cost.chapter_table(n=0), "n=0; at least one lookup"),
])
def test_what_cannot_be_is_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()
