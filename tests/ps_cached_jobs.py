"""Server jobs whose workers keep a cache: pulls before and after pushes, several under way, hot keys and seldom."""

import numpy as np
import torch

from pslab.comm import SimWorld
from pslab.ps import AdaGrad, KVServer, KVWorker, TableConfig, Uniform, serve
from pslab.ps.keys import is_ascending

DIM, ROWS = 5, 60


def cached_job(comm, workers, tables, work, settings, *args):
    """ps_jobs.job with settings for the workers; results hold the cache's counts too."""
    servers = comm.world_size - workers
    if comm.rank < workers:
        with KVWorker(comm, range(workers, comm.world_size), tables, **settings) as kv:
            result = work(comm, kv, *args)
        return {"result": result, "stats": kv.stats(), "cache": kv.cache_stats()}
    server = KVServer(tables, comm.rank - workers, servers, range(workers))
    stats = serve(comm, server)
    return {"stats": stats, "rows": {table.name: np.array(server.rows(table.name)) for table in tables}}


def table(model, rule=None):
    return TableConfig("t", DIM, ROWS, rule or AdaGrad(0.1), model, init=Uniform(0.5, 3))


def draw(rng):
    """Keys as a click log has them: a few hot, many seldom; unsorted, repeated."""
    return np.minimum(rng.zipf(1.3, rng.integers(0, 16)) - 1, ROWS - 1)


def busy(comm, kv, seed, rounds=10, overlap=True):
    """Pulls before and after pushes, two under way at once, across servers; everything that was read."""
    rng, seen = np.random.default_rng([seed, comm.rank]), []
    for _ in range(rounds):
        keys, more = draw(rng), draw(rng)
        comm.compute(float(rng.exponential(2e-5)))
        asked = [kv.pull(keys, "t"), kv.pull(more, "t") if overlap else None]
        if overlap:
            out = torch.empty(len(keys), DIM)
            kv.wait(kv.pull(keys, "t", out=out))
            seen.append(out)
        seen += [kv.wait(timestamp).clone() for timestamp in asked if timestamp]
        kv.push(keys, torch.from_numpy(rng.standard_normal((len(keys), DIM)).astype(np.float32)), "t")
        seen.append(kv.wait(kv.pull(keys, "t")).clone())
        assert all(is_ascending(cached.cache.keys) for cached in kv._caches.values())      # its index is in order
        kv.clock()
    return seen


def run(config, settings, seed, workers=3, servers=2, work=busy, **world):
    world = {"engine": "greenlets", **world}
    return SimWorld(workers + servers, **world).run(cached_job, workers, [config], work, settings, seed)


def same_reads(one, two, workers):
    return all(torch.equal(a, b) for worker in range(workers)
               for a, b in zip(one.results[worker]["result"], two.results[worker]["result"], strict=True))
