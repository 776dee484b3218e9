"""The practical result: what each design saves is counted, and quality is that of the design itself."""

from dataclasses import replace

import numpy as np
import pytest

from pslab.cost import row_bytes
from pslab.data import ClickLog, KeyedJaggedTensor, rating_data, synthetic_click_log
from pslab.embedding import int8
from pslab.examples import Setting, practical_result
from pslab.examples.practical import DESIGNS, _trained
from pslab.examples.practical_tasks import Clicks, Ratings

MADE = rating_data("made")
SMALL = Setting(dim=8, batch=4000, epochs=1, cache_share=0.3)


@pytest.fixture(scope="module")
def result():
    return practical_result("movielens", (0, 1), SMALL, MADE)


def test_bytes_of_each_design_are_those_of_its_rows(result):
    kept = {design: result[design].step_bytes for design in DESIGNS}
    assert kept["plain"] == pytest.approx(2 * 2 * 4000 / 2 * (8 + 32), rel=0.02)    # half of all rows lie elsewhere
    assert kept["+ int8 wire"] / kept["de-duplicated"] == pytest.approx((8 + row_bytes(8, "int8")) / (8 + 32))
    assert kept["all of it"] < kept["+ cache"] < kept["de-duplicated"] < kept["plain"]
    assert result.saved("all of it") == 1 - kept["all of it"] / kept["plain"]
    assert result.saved("+ cache", "de-duplicated") == 1 - kept["+ cache"] / kept["de-duplicated"]


def test_a_quarter_of_the_size_needs_wide_rows(result):
    assert result["all of it"].table_bytes == (MADE.users + MADE.items) * 16
    assert result["plain"].table_bytes == (MADE.users + MADE.items) * 32
    assert result.smaller("all of it") == 2
    assert result.smaller("+ cache") == 1


def test_de_duplication_changes_bytes_and_nothing_else(result):
    assert result["de-duplicated"].metrics == pytest.approx(result["plain"].metrics, abs=1e-5)
    assert result["plain"].losses == (0, 0)
    for design in ("+ int8 wire", "+ cache", "all of it"):
        assert result[design].metrics != result["de-duplicated"].metrics
        assert abs(result[design].loss) < 0.05
        assert result[design].losses == tuple(np.subtract(result[design].metrics, result["plain"].metrics))
    assert result.spread == pytest.approx(np.std(result["plain"].metrics, ddof=1))


def test_the_text_says_what_was_claimed_and_what_was_found(result):
    text = result.text.splitlines()
    assert len(text) == 2 + len(DESIGNS) + 1
    assert text[0].startswith("movielens: made from seed 0")
    assert "said: 20% of the bytes, 25% of the size, no loss" in text[-1]
    assert "50% of the size" in text[-1]
    assert str(result) == result.text
    assert [row[0] for row in result.rows()] == list(DESIGNS)


def test_rows_at_rest_in_int8_are_the_ones_that_are_scored():
    task, seen = Ratings(MADE, SMALL), []
    task.score = lambda rows, dense: seen.append(rows) or 0.0
    for design in ("+ cache", "all of it"):
        _trained(task, design, 0)
    assert (int8.decode(int8.encode(seen[1])) == pytest.approx(seen[1], abs=1e-6))
    assert not (int8.decode(int8.encode(seen[0])) == seen[0]).all()


def test_every_setting_reaches_the_run():
    kept = {}
    changes = {"dim": 4, "batch": 3000, "epochs": 2, "workers": 3, "cache_share": 0.05, "staleness": 1}
    for name, value in changes.items():
        setting = Setting(**{**SMALL.__dict__, name: value})
        kept[name] = _trained(Ratings(MADE, setting), "all of it", 0)
    first = _trained(Ratings(MADE, SMALL), "all of it", 0)
    assert all(found != first for found in kept.values())
    assert _trained(Ratings(MADE, SMALL), "all of it", 1)[1] != first[1]


def test_clicks_of_a_dlrm_leave_the_dense_part_out_of_the_bytes():
    log = _one_id_log()
    task = Clicks(log, Setting(dim=4, batch=100, epochs=1))
    found = {design: _trained(task, design, 0) for design in ("plain", "de-duplicated")}
    assert found["plain"][0] == pytest.approx(2 * 100 * 3 / 2 * (8 + 16), rel=0.05)
    assert found["plain"][1] == pytest.approx(found["de-duplicated"][1], abs=1e-3)
    alone = _trained(Clicks(log, Setting(dim=4, batch=100, epochs=1, workers=1)), "plain", 0)
    assert alone[0] == 0                                            # one worker: nothing travels
    assert alone[1] == pytest.approx(found["plain"][1], abs=2e-3)   # ... and it learns the same
    assert alone[1] > 0.55


def _one_id_log():
    """Three features of one id a row: the made log without its bag."""
    whole = synthetic_click_log(3, 1200, 600, tables=(40, 30, 20, 5), num_dense=3)
    names = [spec.name for spec in whole.features[:3]]
    parts = [replace(part, sparse=KeyedJaggedTensor(
        names, np.concatenate([part.sparse[name].values.numpy() for name in names]), np.ones(3 * len(part), np.int64)))
        for part in (whole.train, whole.test)]
    return ClickLog("one id", *parts, whole.features[:3], "made")


@pytest.mark.parametrize(("call", "words"), [
    (lambda: practical_result("netflix"), "data='netflix'; allowed: 'movielens', 'criteo'"),
    (lambda: practical_result(seeds=()), "seeds is empty"),
    (lambda: Setting(dim=1), "dim=1; a whole number from 2"),
    (lambda: Setting(cache_share=0), "cache_share=0; a share above 0"),
    (lambda: Ratings(MADE, Setting(batch=10**6)), "batch=1000000; the training part has 24000 rows"),
    (lambda: Clicks(synthetic_click_log(0, 100, 50), None), "one id a row in every feature")])
def test_what_cannot_be_trained_is_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()


@pytest.mark.long
@pytest.mark.parametrize("data", ["movielens", "criteo"])
def test_the_claim_on_the_data_that_is_here(data):
    found = practical_result(data)
    assert 0.7 < found.saved("all of it") < 0.9
    assert found.saved("+ cache", "de-duplicated") < found.saved("+ int8 wire", "de-duplicated")
    assert found.smaller("all of it") == pytest.approx(64 / 24)
    assert abs(found["all of it"].loss) < 0.03
