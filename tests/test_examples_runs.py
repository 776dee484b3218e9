"""One program in both worlds: what travels, what time it takes, and what a result says of the run."""

import numpy as np
import pytest
from examples_small import SMALL, factorisation, logistic, mlp

from pslab.comm import Link, ProcessWorld, SimWorld
from pslab.examples import EXAMPLES, LocalTables, mode_of, name_of, run_example
from pslab.models import sparse_batch
from pslab.ps import ASP, BSP, EASGD, SGD, SSP, BoundedDelay, TableConfig
from pslab.ps.history import check

FAST = Link(latency_s=1e-9, bandwidth_Bps=1e15)


def slow_last(rank: int, step: int) -> float:
    """Rank 1 takes three times as long as the others."""
    return 0.03 if rank == 1 else 0.01


@pytest.fixture(scope="module")
def processes():
    with ProcessWorld(4) as world:
        yield world


@pytest.mark.parametrize("name", SMALL)
def test_processes_do_what_the_simulator_does(name, processes):
    example = SMALL[name](epochs=1)
    simulated = run_example(example, workers=2, servers=2)
    real = run_example(example, world=processes, workers=2, servers=2)
    for table, rows in simulated.rows.items():
        assert np.array_equal(rows, real.rows[table])
    assert simulated.losses == real.losses
    assert simulated.bytes == real.bytes
    assert (simulated.world, real.world) == ("sim", "process")
    assert real.seconds > 0


def test_the_bytes_are_the_rows_and_keys_of_the_batches():
    example = logistic()
    result = run_example(example, workers=3, servers=1)
    touched = sum(len(sparse_batch(part).keys) for rank in range(3) for part in example.parts(rank, 3))
    assert result.bytes["keys"] == 2 * 8 * touched, "8 bytes a key, in the pull and in the push"
    assert result.bytes["vals"] == 2 * 4 * touched, "4 bytes a row, each way"
    assert result.bytes_between_workers == 0
    dense = mlp()
    result = run_example(dense, workers=2, servers=1)
    parameters = sum(table.num_rows * table.dim for table in dense.tables(BSP()))
    assert result.bytes["keys"] == 0
    assert result.bytes["vals"] == 2 * 4 * parameters * 2 * dense.rounds


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_virtual_time_is_that_of_the_rows(workers):
    example = logistic(row_s=1e-3)
    seconds = run_example(example, workers=workers, servers=1, link=FAST).seconds
    assert seconds == pytest.approx(sum(-(-size // workers) for size in example.sizes) * 1e-3, rel=1e-3)
    assert run_example(example, workers=1, servers=0).seconds == pytest.approx(1200 * 1e-3)


def test_a_pace_decides_instead():
    example, asked = mlp(epochs=1), []

    def pace(rank, step):
        asked.append((rank, step))
        return slow_last(rank, step)

    bsp = run_example(example, workers=3, pace=pace, link=FAST)
    assert sorted(asked) == [(rank, step) for rank in range(3) for step in range(example.rounds)]
    assert bsp.seconds == pytest.approx(0.03 * example.rounds, rel=1e-3)
    ends = {mode: [times[-1] for times in run_example(example, workers=3, pace=slow_last, consistency=mode,
                                                       link=FAST).clocks_s] for mode in ("bsp", "ssp:2", "asp")}
    assert ends["bsp"] == pytest.approx([0.24] * 3, rel=1e-3), "everyone waits for the slow one"
    assert ends["ssp:2"][0] == pytest.approx(0.18, rel=1e-2), "two rounds ahead of it"
    assert ends["asp"][0] == pytest.approx(0.08, rel=1e-2), "as fast as it can"
    assert ends["asp"][1] == pytest.approx(0.24, rel=1e-2)


def test_how_the_time_is_taken():
    taken = []
    run_example(mlp(epochs=1), workers=2, pace=lambda rank, step: 2.0 + rank,
                take=lambda comm, seconds: taken.append((comm.rank, seconds)))
    assert sorted(taken) == [(0, 2.0)] * 8 + [(1, 3.0)] * 8


def test_a_stale_run_is_another_run_and_the_same_one_every_time():
    example = mlp(epochs=1)
    one, again, bsp = (run_example(example, workers=3, consistency=mode, pace=slow_last) for mode in
                       ("asp", "asp", "bsp"))
    assert one.curve == again.curve
    assert np.array_equal(one.rows["layer 0"], again.rows["layer 0"])
    assert not np.array_equal(one.rows["layer 0"], bsp.rows["layer 0"])


@pytest.mark.parametrize("mode", ["bsp", "ssp:0", "ssp:2", "delay:1", "asp", BSP(backup=1)])
def test_every_mode_ends_with_every_round(mode):
    example = factorisation()
    result = run_example(example, workers=4, servers=2, consistency=mode, points=5)
    assert result.curve[0].rounds == 0
    assert result.curve[0].seconds == pytest.approx(0, abs=1e-3)
    assert result.curve[-1].rounds == example.rounds
    assert result.curve[-1].epoch == 1
    assert [point.rounds for point in result.curve] == [0, 2, 4, 6, 8, 10, 12]
    seconds = [point.seconds for point in result.curve]
    assert seconds == sorted(seconds)
    assert 0 < seconds[-1] <= result.seconds + 2e-5, "the server hears of the last clock a latency later"
    assert result.curve[-1].metric == example.score(result.rows) < result.curve[0].metric


@pytest.mark.parametrize(("mode", "stricter"), [("bsp", None), ("ssp:2", SSP(1)), ("asp", SSP(3)), ("delay:1", SSP(3))])
def test_a_recorded_run_kept_its_promise(mode, stricter):
    """Proved of the operations: what each pull saw, and with a slow worker that the model's freedom was used."""
    example = logistic(rows=180, batch=30, epochs=1)
    history = run_example(example, workers=3, servers=2, consistency=mode, pace=slow_last, record=True).history
    findings = check(history, mode_of(mode), reached=mode in ("bsp", "ssp:2"))
    assert list(findings) == []
    assert findings.facts["final"] > 0
    if stricter is not None:
        assert list(check(history, stricter)) != []


def test_nothing_is_recorded_unasked():
    assert run_example(mlp(epochs=1), workers=2).history is None
    with pytest.raises(ValueError, match="record=True with servers=0"):
        run_example(mlp(), workers=1, servers=0, record=True)


def test_a_recorded_run_of_processes():
    history = run_example(logistic(rows=60, batch=20), world="process", workers=2, servers=1, record=True).history
    assert list(check(history, BSP(), reached=True)) == []


def test_rounds_of_a_curve_are_batches_done():
    """ASP with a slow worker: copies follow the work, so the curve's last third is the slow worker's alone."""
    example = mlp(epochs=3)
    curve = run_example(example, workers=2, pace=slow_last, consistency="asp", link=FAST, points=24).curve
    at = {point.rounds: point.seconds for point in curve}
    assert at[12] == pytest.approx(0.18, abs=0.031), "in 0.18 s 18 batches of worker 0 and 6 of worker 1"
    assert at[24] == pytest.approx(24 * 0.03, rel=1e-2)


def test_the_first_point_that_is_good_enough():
    result = run_example(mlp(batch=64), workers=2)
    point = result.reached(0.5)
    before = [earlier for earlier in result.curve if earlier.rounds < point.rounds]
    assert point.metric >= 0.5 > max(earlier.metric for earlier in before)
    assert result.reached(1.01) is None
    worse = run_example(factorisation(), workers=1, servers=0)
    assert worse.reached(worse.curve[0].metric) == worse.curve[0]
    assert worse.reached(worse.value).metric <= worse.value
    assert "test RMSE" in worse.text()
    assert "biases only" in worse.text()
    assert "2 workers, 1 server, BSP" in result.text()


def test_more_workers_than_rows_in_a_batch():
    example = logistic(rows=10, batch=4, epochs=1)
    result = run_example(example, workers=6, servers=2)
    np.testing.assert_allclose(result.rows["weights"], run_example(example, workers=1, servers=0).rows["weights"],
                               atol=1e-6)
    assert len(result.losses) == 3


def test_a_world_of_ones_own_keeps_its_trace():
    world = SimWorld(3, trace=True)
    result = run_example(mlp(epochs=1), world=world, workers=2)
    assert len(result.run.trace.events) > 0
    with pytest.raises(ValueError, match="2 workers and 2 servers need 4"):
        run_example(mlp(), world=world, workers=2, servers=2)


@pytest.mark.parametrize(("changed", "message"), [
    ({"workers": 0}, "workers=0; a whole number from 1"), ({"servers": -1}, "servers=-1; a whole number from 0"),
    ({"servers": 0}, "servers=0 with workers=2"), ({"world": "cloud"}, "world='cloud'; allowed: sim, process"),
    ({"consistency": "bps"}, "mode 'bps': allowed are bsp, ssp:S"), ({"consistency": "ssp:-1"}, "mode 'ssp:-1'"),
    ({"consistency": EASGD(0.1, 2)}, "EASGD trains a model of its own"),
])
def test_wrong_plans(changed, message):
    with pytest.raises(ValueError, match=message):
        run_example(mlp(), **changed)


@pytest.mark.parametrize(("name", "changed", "message"), [
    ("mlp", {"batch": 0}, "batch=0; a whole number from 1"), ("mlp", {"epochs": 1.5}, "epochs=1.5; a whole number"),
    ("mlp", {"hidden": (0,)}, "sizes="), ("mlp", {"seed": -1}, "seed=-1"), ("logistic", {"row_s": -1}, "row_s=-1"),
    ("factorisation", {"factors": -1}, "factors=-1"), ("factorisation", {"reg": float("nan")}, "reg=nan"),
])
def test_wrong_examples(name, changed, message):
    with pytest.raises(ValueError, match=message):
        SMALL[name](**changed)


def test_modes_by_name():
    for text, mode, name in (("bsp", BSP(), "BSP"), ("asp", ASP(), "ASP"), ("ssp:3", SSP(3), "SSP(3)"),
                             ("delay:2", BoundedDelay(2), "BoundedDelay(tau=2)")):
        assert mode_of(text) == mode
        assert name_of(mode) == name
    assert mode_of(SSP(4)) == SSP(4)
    assert name_of(BSP(backup=1)) == "BSP(backup=1)"
    assert set(EXAMPLES) == set(SMALL)


def test_local_tables_are_a_server_of_one():
    kv = LocalTables([TableConfig("t", 2, 5, SGD(1.0))])
    kv.push(np.array([1, 3]), np.ones((2, 2), np.float32), "t")
    kv.push(np.array([3]), np.ones((1, 2), np.float32), "t")
    kv.push(range(0, 2), np.ones((2, 2), np.float32), "t")
    before = kv.wait(kv.pull(range(5), "t"))
    assert not before.any(), "a push counts from the end of its round on"
    assert kv.clock() == 1
    assert kv.wait(kv.pull(np.array([0, 1, 3]), "t")).tolist() == [[-1, -1], [-2, -2], [-2, -2]]
    assert not before.any(), "what was pulled stays as it was"


def test_servers_are_sent_no_data():
    example = logistic()
    server, worker = example.for_rank(trains=False), example.for_rank(trains=True)
    assert server.data.train is server.data.test is worker.data.test is None
    assert worker.data.train is example.data.train
    assert len(example.data.test) == 500
