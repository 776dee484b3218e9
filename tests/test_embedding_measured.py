"""What the cost model says and what a ledger counts, within 10 %: in the simulator, and once in processes."""

import numpy as np
import pytest

from pslab.comm import ProcessWorld, SimWorld
from pslab.embedding import RowExchange, Scale, measure_step, measured_designs
from pslab.embedding.measured import DESIGNS, modelled
from pslab.ps import SGD

LONG = pytest.mark.long
SCALES = [pytest.param(Scale(exponent=0.9, workers=3, batch=255, steps=10, warm=5), id="three workers"),
          pytest.param(Scale(capacity=200, staleness=6, servers=2, steps=10, warm=7), id="cache below a batch"),
          pytest.param(Scale(), id="default", marks=LONG),
          pytest.param(Scale(staleness=1, dim=5, seed=4), id="one clock old", marks=LONG)]


@pytest.mark.parametrize("scale", SCALES)
def test_the_model_is_what_the_ledger_counts(scale):
    found = {step.design: step for step in measured_designs(scale)}
    for step in found.values():
        assert step.fetch_ratio == pytest.approx(1, abs=0.05), step
        assert step.push_ratio == pytest.approx(1, abs=0.05), step
    bytes_ = [found[design].of_naive for design in DESIGNS]
    assert bytes_[2] < 0.97 * bytes_[3]                             # copies of an age save; exact ones do not
    assert bytes_[3] == pytest.approx(bytes_[1], rel=0.02)          # ... anything beyond de-duplication
    assert bytes_[1] < 0.8 * bytes_[0]
    assert found["both, exact BSP"].push_bytes == found["both, reads of age s"].push_bytes


def test_processes_move_the_bytes_that_the_simulator_counts():
    scale = Scale(steps=5, warm=0, batch=64)
    real, simulated = (measure_step("both, reads of age s", scale, world) for world in (ProcessWorld, None))
    assert (real.fetch_bytes, real.push_bytes) == (simulated.fetch_bytes, simulated.push_bytes)


@pytest.mark.long
def test_every_design_moves_in_processes_what_the_model_says():
    for step in measured_designs(world=ProcessWorld):
        assert step.fetch_ratio == pytest.approx(1, abs=0.05), step


def test_every_size_matters():
    first = modelled(DESIGNS[2], Scale()).fetch_bytes
    for change in ({"exponent": 1.0}, {"rows": 9000}, {"dim": 8}, {"batch": 128}, {"lookups": 4}, {"workers": 4},
                   {"capacity": 100}, {"staleness": 2}):
        assert modelled(DESIGNS[2], Scale(**change)).fetch_bytes != first, change
    assert (Scale(seed=1).ids(0, 2) != Scale().ids(0, 2)).any()
    assert (Scale().ids(1, 2) != Scale().ids(0, 2)).any()
    assert (Scale().ids(0, 3)[:2] == Scale().ids(0, 2)).all()


@pytest.mark.parametrize(("call", "words"), [
    (lambda: measure_step("fast"), "design='fast'; allowed"),
    (lambda: Scale(capacity=0), "capacity=0; a whole number from 1"),
    (lambda: Scale(staleness=-1), "staleness=-1; a whole number from 0"),
    (lambda: Scale(workers=3), "batch=256 times lookups=8 does not divide by 3 workers")])
def test_what_cannot_be_measured_is_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()


# ---- RowExchange ------------------------------------------------------------------------------------------------


def rounds(comm, ids, settings):
    """Pull, push the round's number for each id, three rounds; every pull, the rows at the end, ids sent."""
    rows = np.arange(28, dtype=np.float32).reshape(7, 4)
    table = RowExchange(comm, rows, SGD(1.0), **settings)
    pulled = []
    for number in (1, 2, 3):
        pulled.append(table.pull(ids))
        table.push(ids, np.full((len(ids), 4), number, np.float32))
        table.next_round()
    return pulled, table.own, table.id_bytes


IDS = [np.array([5, 1, 5, 0]), np.array([6]), np.array([], np.int64)]
COUNTS = np.array([1, 1, 0, 0, 0, 2, 1])                            # of each row over the three ranks


@pytest.mark.parametrize("settings", [{}, {"dedup": False}, {"cache_rows": 3}, {"cache_rows": 7}])
def test_exact_reads_are_those_of_one_process(settings):
    run = SimWorld(3).run(rounds, per_rank=[(ids, settings) for ids in IDS])
    rows = np.arange(28, dtype=np.float32).reshape(7, 4)
    for number in range(3):
        for ids, (pulled, _, _) in zip(IDS, run.results):
            assert (pulled[number] == rows[ids]).all()
        rows = rows - (number + 1) * COUNTS[:, None]
    for rank, (_, own, _) in enumerate(run.results):
        assert (own == rows[rank::3]).all()


def test_an_old_copy_is_read_until_it_is_too_old_and_not_longer():
    run = SimWorld(3).run(rounds, per_rank=[(ids, {"cache_rows": 7, "staleness": 1}) for ids in IDS])
    (first, second, third), _, _ = run.results[0]
    start = np.arange(28, dtype=np.float32).reshape(7, 4)
    assert (first == start[IDS[0]]).all()
    assert (second[[0, 1, 2]] == first[[0, 1, 2]]).all()            # rows 5, 1 of other ranks: as fetched in round 0
    assert (second[3] == start[0] - 1).all()                        # row 0 is rank 0's own: always as it is
    assert (third[0] == start[5] - 2 - 4).all()                     # fetched again: rounds 1 and 2, twice each
    assert (third[1] == start[1] - 1 - 2).all()


@pytest.mark.parametrize(("settings", "asked", "pushed", "row"), [
    ({"dedup": False}, 3, 3, 16), ({}, 2, 2, 16), ({"wire": "int8"}, 2, 2, 12), ({"wire": "fp16"}, 2, 2, 8),
    ({"cache_rows": 7, "staleness": 5}, 2 / 3, 2, 16), ({"cache_rows": 1, "staleness": 5}, 4 / 3, 2, 16)])
def test_each_switch_saves_the_bytes_that_it_is_there_for(settings, asked, pushed, row):
    """Rank 0 asks for rows 5, 1, 5 of others; row 6 is rank 0's, and rank 1 asks for it. Three rounds."""
    run = SimWorld(3).run(rounds, per_rank=[(ids, settings) for ids in IDS])
    assert run.results[0][2] == 8 * 3 * (asked + pushed)
    into_0 = run.ledger.link(1, 0) + run.ledger.link(2, 0)
    own_asks = 1 if not settings.get("staleness") else 1 / 3        # of rank 1, for row 6
    assert into_0 == pytest.approx(3 * (asked * row + own_asks * 8 + 8 + row))


def test_a_cache_that_is_full_forgets_the_least_recently_used():
    def program(comm):
        table = RowExchange(comm, np.zeros((8, 2), np.float32), SGD(1.0), cache_rows=2, staleness=100)
        counts = []
        for ids in ([1, 3], [1], [5], [1], [3], [1]) if comm.rank == 0 else [[]] * 6:
            table.pull(np.array(ids, np.int64))
            table.next_round()
            counts.append(table.asked_rows)
        return counts

    assert SimWorld(2).run(program).results[0] == [2, 2, 3, 3, 4, 4]   # 5 puts 3 out, and 3 puts 5 out


@pytest.mark.parametrize(("settings", "words"), [
    ({"cache_rows": 2, "dedup": False}, "cache_rows=2 with dedup=False"), ({"staleness": -1}, "staleness=-1"),
    ({"wire": "int4"}, "wire='int4'; allowed: fp32, fp16, int8")])
def test_an_exchange_that_cannot_be_is_refused(settings, words):
    with pytest.raises(ValueError, match=words):
        SimWorld(1).run(lambda comm: RowExchange(comm, np.zeros((2, 2), np.float32), SGD(1.0), **settings))
