"""A server job for tests: workers first, then servers; every rank's result is a dict of plain things."""

import numpy as np
import torch

from pslab.ps import SGD, AdaGrad, Integers, KVServer, KVWorker, TableConfig, serve


def job(comm, num_workers, tables, work, *args):
    """Run work(comm, kv, *args) on the workers; servers give their stats and, by table, where their rows end up."""
    num_servers = comm.world_size - num_workers
    if comm.rank < num_workers:
        with KVWorker(comm, range(num_workers, comm.world_size), tables) as kv:
            result = work(comm, kv, *args)
        return {"result": result, "stats": kv.stats()}
    server = KVServer(tables, comm.rank - num_workers, num_servers, range(num_workers))
    stats = serve(comm, server)
    return {"stats": stats, "rows": {table.name: np.array(server.rows(table.name)) for table in tables}}


def final_rows(run, num_workers, table):
    """The whole table after a run, from the servers' shards."""
    return np.concatenate([rank["rows"][table] for rank in run.results[num_workers:]])


def check_stats(run, num_workers):
    """What workers and servers counted, summed over tables, is what the ledger saw at their ports, to the byte."""
    for rank, result in enumerate(run.results):
        tables = result["stats"] if rank < num_workers else result["stats"]["tables"]
        totals = {name: sum(counts.get(name, 0) for counts in tables.values())
                  for name in ("keys_in_bytes", "keys_out_bytes", "vals_in_bytes", "vals_out_bytes")}
        keys, vals = run.ledger.port(rank, "keys"), run.ledger.port(rank, "vals")
        seen = (totals["keys_out_bytes"], totals["keys_in_bytes"], totals["vals_out_bytes"], totals["vals_in_bytes"])
        assert seen == (*keys, *vals), f"rank {rank}"


# ---- a program whose every pull is known ------------------------------------------------------------------------

ROUNDS = 5
SPARSE = TableConfig("sparse", 3, 11, rule=SGD(1.0), init=Integers(-9, 10, seed=4))
DENSE = TableConfig("dense", 2, 7, rule=SGD(0.5), init=Integers(-9, 10, seed=4))
ROOTED = TableConfig("rooted", 2, 5, rule=AdaGrad(0.5), init=Integers(-9, 10, seed=5))
TABLES = [SPARSE, DENSE, ROOTED]


def batch(worker, step):
    """Keys (unsorted, repeated, sometimes none) and whole-number gradients that differ by worker, step and place."""
    rng = np.random.default_rng([worker, step])
    keys = rng.integers(0, SPARSE.num_rows, rng.integers(0, 9))
    return torch.from_numpy(keys), torch.from_numpy(rng.integers(-8, 9, (len(keys), 3)).astype(np.float32))


def dense_batch(worker, step):
    return torch.from_numpy(np.random.default_rng([worker, step, 1]).integers(-8, 9, (7, 2)).astype(np.float32))


def train(comm, kv, seed):
    """ROUNDS rounds with delays drawn at random; gives what every pull saw."""
    rng, seen = np.random.default_rng([seed, comm.rank]), []
    for step in range(ROUNDS):
        comm.compute(float(rng.exponential(20e-6)))
        keys, grads = batch(comm.rank, step)
        asked = [kv.pull(keys, "sparse"), kv.pull(range(7), "dense"), kv.pull(slice(1, 4), "rooted"),
                 kv.pull(range(11), "sparse")]
        comm.compute(float(rng.exponential(20e-6)))
        seen.append([kv.wait(timestamp).clone() for timestamp in reversed(asked)][::-1])
        half = len(keys) // 2
        kv.push(keys[:half], grads[:half], "sparse")
        comm.compute(float(rng.exponential(20e-6)))
        kv.push(slice(None), dense_batch(comm.rank, step), "dense")
        kv.push(keys[half:], grads[half:], "sparse")
        kv.push(range(1, 4), dense_batch(comm.rank, step)[:3], "rooted")
        assert kv.clock() == step + 1
    return seen


def sequential(num_workers):
    """One process, torch.optim, the sum of all workers' gradients in every round: the tables before each round."""
    parameters = {table.name: torch.nn.Parameter(torch.from_numpy(table.initial_rows())) for table in TABLES}
    optimizers = [torch.optim.SGD([parameters["sparse"]], lr=1.0), torch.optim.SGD([parameters["dense"]], lr=0.5),
                  torch.optim.Adagrad([parameters["rooted"]], lr=0.5)]
    history = []
    for step in range(ROUNDS + 1):
        history.append({name: parameter.detach().clone() for name, parameter in parameters.items()})
        for parameter in parameters.values():
            parameter.grad = torch.zeros_like(parameter)
        for worker in range(num_workers):
            parameters["sparse"].grad.index_add_(0, *batch(worker, step))
            parameters["dense"].grad += dense_batch(worker, step)
            parameters["rooted"].grad[1:4] += dense_batch(worker, step)[:3]
        for optimizer in optimizers:
            optimizer.step()
    return history


def check_run(run, workers, history, label=""):
    """Every pull and the tables at the end are those of the sequential program; counts are those of the ledger."""
    for worker in range(workers):
        for step, (sparse, dense, rooted, whole) in enumerate(run.results[worker]["result"]):
            where = f"{label}, worker {worker}, round {step}"
            assert torch.equal(sparse, history[step]["sparse"][batch(worker, step)[0]]), where
            assert torch.equal(whole, history[step]["sparse"]), where
            assert torch.equal(dense, history[step]["dense"]), where
            torch.testing.assert_close(rooted, history[step]["rooted"][1:4], atol=1e-6, rtol=0)
    assert np.array_equal(final_rows(run, workers, "sparse"), history[ROUNDS]["sparse"])
    assert np.array_equal(final_rows(run, workers, "dense"), history[ROUNDS]["dense"])
    np.testing.assert_allclose(final_rows(run, workers, "rooted"), history[ROUNDS]["rooted"], atol=1e-6)
    assert np.array_equal(final_rows(run, workers, "rooted")[[0, 4]], ROOTED.initial_rows([0, 4]))
    check_stats(run, workers)
