"""The demo from end to end: its table, its files, and that every option matters."""

import json

import pytest
import torch

from pslab import cli
from pslab.cost import ring_all_reduce
from pslab.data import MissingData, load, synthetic_click_log
from pslab.demo.train import job_of

STEPS = 6


class Blank:
    """A picture that takes no time to draw."""

    def png(self):
        return b"no picture"


@pytest.fixture
def drawn(monkeypatch):
    """A small log instead of the default one, so that a run takes a second."""
    monkeypatch.setattr("pslab.demo.show.load", lambda name, seed: synthetic_click_log(
        1, train_rows=2000, test_rows=400, tables=(60, 30, 20), num_dense=3))


@pytest.fixture
def small(drawn, monkeypatch):
    """The same, and no picture is drawn."""
    monkeypatch.setattr("pslab.demo.show.draw", lambda *_: Blank())


@pytest.fixture
def demo(tmp_path, capsys, monkeypatch):
    """demo("--steps", 3) -> (figures, stdout, stderr) of a run in the simulator unless told otherwise."""
    monkeypatch.chdir(tmp_path)

    def run(*words):
        base = [] if "--world" in words else ["--world", "sim"]
        base += [] if "--steps" in words else ["--steps", str(STEPS)]
        assert cli.main(["demo", "--json", "figures.json", *base, *map(str, words)]) == 0
        printed = capsys.readouterr()
        return json.loads((tmp_path / "figures.json").read_text()), printed.out, printed.err

    return run


def by_strategy(figures):
    return {row["strategy"]: row for row in figures["measured"]}


def test_the_whole_demo(demo, drawn, tmp_path):
    figures, out, err = demo()
    rows = by_strategy(figures)
    assert list(rows) == ["hybrid", "allreduce", "server"]
    for row in rows.values():       # the printed table holds the figures
        line = next(line for line in out.splitlines() if line.startswith(row["strategy"] + " "))
        assert f"{row['test_log_loss']:.4f}" in line
        assert f"{row['test_auc']:.4f}" in line
        assert row["port"] in line
        assert f"{row['dense_bytes'] / 1000:.4g}" in line
    assert figures["sentence"] in out
    assert "best reachable" in out
    assert f"{figures['yardstick']['test_auc']:.4f}" in out
    assert "modelled by pslab.cost" in out
    after = out.split("hybrid, S = K\n")[1]
    assert [line.split()[0] for line in after.splitlines()[:6]] == ["2", "4", "8", "16", "32", "64"]
    assert "At K = S = 2 ring and servers carry equal (but for one number) dense bytes per direction" in out
    assert "they part from K = 3 on" in out
    assert (tmp_path / "pslab-demo.png").read_bytes().startswith(b"\x89PNG")
    for name in rows:
        assert f"{name:9}: 100%" in err


def test_all_strategies_learn_the_same_on_the_same_batches(demo, small):
    rows = list(by_strategy(demo()[0]).values())
    for row in rows[1:]:
        assert row["losses"] == pytest.approx(rows[0]["losses"], abs=1e-5)
        assert row["test_log_loss"] == pytest.approx(rows[0]["test_log_loss"], abs=1e-5)
        assert row["test_auc"] == pytest.approx(rows[0]["test_auc"], abs=1e-3)


def test_one_process_alone_stands_beside(demo, small):
    figures, out, _ = demo("--workers", 3, "--servers", 1)
    gap = max(abs(a - b) for row in figures["measured"] for a, b in zip(row["losses"], figures["alone"]["losses"]))
    assert len(figures["alone"]["losses"]) == STEPS
    assert 0 < gap < 1e-5
    assert f"losses differ from its by at most {gap:.1e}" in out
    assert figures["alone"]["bytes"] == 0


def test_figures_fit_the_closed_forms(demo, small):
    figures, _, _ = demo("--workers", 3, "--servers", 1)
    rows, size = by_strategy(figures), figures["size"]
    rings = [ring_all_reduce(n, 3).busiest for n in (size["dense_parameters"], size["table_rows"] * size["dim"])]
    assert rows["allreduce"]["dense_bytes"] == pytest.approx(rings[0], abs=8)
    assert rows["allreduce"]["bytes"] == pytest.approx(sum(rings), abs=16)
    assert rows["server"]["dense_bytes"] == 3 * 4 * size["dense_parameters"]
    assert rows["server"]["port"] == "server 0 in"
    touched = 3 * size["rows_per_worker"] * (16 + 4 * size["dim"])       # keys twice, gradients once
    assert rows["server"]["sparse_bytes"] == pytest.approx(touched)


def test_the_sum_of_both_parts_is_the_ledger(demo, small, monkeypatch):
    seen = []
    import pslab.demo.train as train_module
    run_job = train_module.run_job
    monkeypatch.setattr(train_module, "run_job", lambda *args, **more: seen.append(run_job(*args, **more)) or seen[-1])
    figures, _, _ = demo()
    for row, result in zip(figures["measured"], seen):
        name, number, way = row["port"].split()
        rank = int(number) + (result.job.workers if name == "server" else 0)
        ledger, index = result.run.ledger, int(way == "in")
        port = ledger.port(rank, "keys")[index] + ledger.port(rank, "vals")[index]
        assert row["bytes"] * STEPS == pytest.approx(port)
        assert row["header_bytes"] * STEPS == pytest.approx(ledger.port(rank, "header")[index])
        assert port == max(sum(pair) for other in range(result.job.world_size)
                           for pair in zip(ledger.port(other, "keys"), ledger.port(other, "vals")))


# ---- every option matters -------------------------------------------------------------------------------------------

def test_strategy(demo, small):
    for name in ("hybrid", "server", "allreduce"):
        figures, out, _ = demo("--strategy", name)
        assert list(by_strategy(figures)) == [name]
        assert f"With {name} the busiest port carries" in out


def test_servers(demo, small):
    one, three = (by_strategy(demo("--servers", S)[0])["server"] for S in (1, 3))
    assert one["port"].startswith("server")
    assert one["bytes"] > 1.5 * three["bytes"]
    assert one["losses"][-1] == pytest.approx(three["losses"][-1], abs=1e-6)


def test_workers(demo, small):
    two, four = (by_strategy(demo("--workers", K)[0]) for K in (2, 4))
    assert two["allreduce"]["bytes"] < four["allreduce"]["bytes"]          # 2(K-1)/K
    assert two["server"]["dense_bytes"] < four["server"]["dense_bytes"]    # K/S
    assert two["hybrid"]["losses"][-1] == pytest.approx(four["hybrid"]["losses"][-1], abs=1e-5)


def test_batches_that_workers_cannot_share_evenly(demo, small):
    one, three = (by_strategy(demo("--workers", K, "--batch-size", 50)[0])["hybrid"] for K in (1, 3))
    assert one["losses"][-1] == pytest.approx(three["losses"][-1], abs=1e-5)


def test_staleness(demo, small):
    base, stale, free = (by_strategy(demo("--staleness", s)[0]) for s in (0, 2, "inf"))
    assert stale["allreduce"] == base["allreduce"]                      # it has no servers whose rows could be old
    assert len({rows["server"]["losses"][-1] for rows in (base, stale)}) == 2
    for rows in (stale, free):
        assert rows["server"]["seconds"] < base["server"]["seconds"]   # nobody waits for clocks
        assert rows["server"]["losses"][-1] == pytest.approx(base["server"]["losses"][-1], rel=0.05)
    figures, out, _ = demo("--staleness", "inf", "--strategy", "server")
    assert "; staleness inf of what lives on servers" in out
    assert "The model knows neither staleness nor caches." in out
    assert figures["options"]["staleness"] == "inf"


def test_cache_rows(demo, small):
    (base, plain, _), (cached, _, _) = demo(), demo("--cache-rows", 50)
    base, cached = by_strategy(base), by_strategy(cached)
    assert "cache hits" not in plain
    for name in ("hybrid", "server"):
        assert cached[name]["losses"] == base[name]["losses"]          # BSP: nothing but bytes changes
        assert cached[name]["bytes"] > base[name]["bytes"]             # every row read was changed: versions cost
        assert cached[name]["saved_bytes"] < 0 == cached[name]["hit_rate"]
        assert base[name]["saved_bytes"] is None
    assert cached["allreduce"]["hit_rate"] is None
    stale, said, _ = demo("--cache-rows", 200, "--staleness", 3, "--strategy", "server", "--steps", 12)
    row = stale["measured"][0]
    assert 0.3 < row["hit_rate"] < 1
    line = next(line for line in said.splitlines() if line.startswith("server "))
    assert f"{row['hit_rate']:.1%}" in line
    assert f"{row['saved_bytes'] / 1000:.4g}" in line
    assert "cache hits  cache saves kB/step" in said
    assert "each worker keeps 200 rows" in said


@pytest.mark.parametrize("option", [("--steps", 3), ("--seed", 5), ("--batch-size", 100), ("--lr", 0.3)])
def test_training_options(option, demo, small):
    base, changed = (demo("--strategy", "hybrid", *words)[0] for words in ((), option))
    assert base["measured"][0]["losses"][-1] != changed["measured"][0]["losses"][-1]
    assert base["measured"][0] == demo("--strategy", "hybrid")[0]["measured"][0]       # and nothing else varies


def test_world(demo, small):
    sim, out_sim, _ = demo("--strategy", "hybrid")
    process, out_process, err = demo("--strategy", "hybrid", "--world", "process")
    assert "virtual seconds of the simulator" in out_sim
    assert "seconds on this machine" in out_process
    assert "simulated ranks" in out_sim
    assert "processes of this machine" in out_process
    sim, process = sim["measured"][0], process["measured"][0]
    assert sim["seconds"] < 0.1 * process["seconds"]        # on the virtual clock computing takes no time
    for figure in ("bytes", "dense_bytes", "sparse_bytes", "losses", "test_auc"):
        assert sim[figure] == pytest.approx(process[figure])
    assert "hybrid   : 100%" in err


def test_data(demo, monkeypatch):
    real = demo("--data", "synthetic", "--strategy", "hybrid", "--steps", 2)[0]
    assert real["data"]["name"] == "synthetic"
    assert real["data"]["train_rows"] == len(load("synthetic").train)
    monkeypatch.setenv("PSLAB_DATA", "/nowhere")
    monkeypatch.setenv("PSLAB_CACHE", "/nowhere")
    figures, out, _ = demo("--strategy", "hybrid", "--steps", 2)         # auto: says why it is not MovieLens
    assert figures["data"]["name"] == "synthetic"
    assert "Not MovieLens" in out
    with pytest.raises(MissingData):
        load("movielens-100k")
    assert cli.main(["demo", "--data", "movielens-100k"]) == 2


def test_files(demo, drawn, tmp_path):
    demo("--strategy", "hybrid", "--picture", "other.png")
    assert (tmp_path / "other.png").exists()
    assert not (tmp_path / "pslab-demo.png").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["figures.json", "other.png"]


def test_a_batch_larger_than_the_data(small, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["demo", "--world", "sim", "--batch-size", "2001"]) == 2
    assert "--batch-size 2001: at most 2000, the training rows of synthetic" in capsys.readouterr().err


def test_one_worker_sends_nothing_through_a_ring(demo, small):
    figures, out, _ = demo("--workers", 1, "--servers", 1)
    assert by_strategy(figures)["allreduce"]["bytes"] == 0
    assert by_strategy(figures)["allreduce"]["samples_per_s"] is None
    assert "where allreduce sends nothing" in out


def test_the_seed_reaches_data_order_and_parameters(demo, small, monkeypatch):
    import pslab.demo.show as show_module
    seen, load_log, train = [], show_module.load, show_module.train

    def watched(options, log, batches, strategy, worlds):
        order = torch.cat([batch.labels for batch in batches]).tolist()
        if strategy == "hybrid":
            seen.append((order, job_of(options, log, strategy).seed))
        return train(options, log, batches, strategy, worlds)

    monkeypatch.setattr(show_module, "load", lambda name, seed: seen.append(seed) or load_log(name, seed))
    monkeypatch.setattr(show_module, "train", watched)
    demo("--strategy", "hybrid", "--seed", 4)
    demo("--strategy", "hybrid", "--seed", 5)
    assert (seen[0], seen[2]) == (4, 5)
    assert (seen[1][1], seen[3][1]) == (4, 5)
    assert seen[1][0] != seen[3][0]


@pytest.mark.long
def test_more_ranks_than_the_simulator_gives_threads(demo, small):
    """66 ranks: above 64 they share one thread, autograd and all."""
    figures, _, _ = demo("--workers", 60, "--servers", 6, "--strategy", "hybrid", "--steps", 2)
    assert figures["measured"][0]["losses"][-1] == pytest.approx(
        demo("--strategy", "hybrid", "--steps", 2)[0]["measured"][0]["losses"][-1], abs=1e-5)


# ---- the progress bar lives while the run goes on -----------------------------------------------------------------

def test_progress_comes_while_training(demo, small, monkeypatch):
    events = []
    import pslab.demo.train as train_module
    run_job, bar = train_module.run_job, train_module.tqdm

    class Watched(bar):
        def update(self, n=1):
            events.append(n)
            return super().update(n)

    def watched(*args, **more):
        result = run_job(*args, **more)
        events.append("done")
        return result

    monkeypatch.setattr(train_module, "tqdm", Watched)
    monkeypatch.setattr(train_module, "run_job", watched)
    demo("--strategy", "hybrid", "--world", "process")
    assert events == 2 * ([1] * STEPS + ["done"])       # hybrid, then the process alone
