"""TorchRec's side of `pslab bench sharded`: one process of two or more, over Gloo, table-wise, its optimizer fused.

    sharded.py ──starts K times──> this file ──a line of JSON──> sharded.py
    python sharded_torchrec.py RANK K STORE JOB        STORE: a new file they meet in; JOB: its fields as JSON

Needs torchrec and fbgemm-gpu for the CPU (`make torchrec`); neither is part of the course's own.
"""

from __future__ import annotations

import json
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from sharded_job import Job, check_sums, first_rows, ids_of, loss_weights

NEEDED = ("torchrec", "fbgemm_gpu")


def main(rank: int, size: int, store: str, job: Job) -> dict:
    import fbgemm_gpu
    import torch
    import torch.distributed as dist
    import torchrec
    from torchrec.distributed.comm_ops import set_gradient_division
    from torchrec.distributed.embeddingbag import EmbeddingBagCollectionSharder
    from torchrec.distributed.model_parallel import DistributedModelParallel
    from torchrec.optim.apply_optimizer_in_backward import apply_optimizer_in_backward
    from torchrec.optim.rowwise_adagrad import RowWiseAdagrad

    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=size)
    set_gradient_division(False)            # its default is the mean over the ranks; ours is their sum
    names = job.names()
    bags = torchrec.EmbeddingBagCollection(device=torch.device("cpu"), tables=[
        torchrec.EmbeddingBagConfig(name=name, embedding_dim=job.dim, num_embeddings=job.rows, feature_names=[name])
        for name in names])
    if job.rule == "sgd":
        apply_optimizer_in_backward(torch.optim.SGD, bags.parameters(), {"lr": job.lr})
    else:
        apply_optimizer_in_backward(RowWiseAdagrad, bags.parameters(), {"lr": job.lr, "eps": 1e-8})
    model = DistributedModelParallel(torch.nn.Sequential(bags), device=torch.device("cpu"), plan=plan(size, job),
                                     sharders=[EmbeddingBagCollectionSharder()])
    owned = 0
    for key, value in model.state_dict().items():
        table = names.index(key.split(".")[-2])
        for shard in value.local_shards():
            shard.tensor.copy_(torch.from_numpy(first_rows(job, table)))
            owned += 1
    lengths = torch.ones(job.tables * job.batch, dtype=torch.int32)
    batches = [torchrec.KeyedJaggedTensor.from_lengths_sync(names, torch.from_numpy(ids_of(job, rank, s)), lengths)
               for s in range(job.batches)]

    def look_up(number: int):
        out = model(batches[number % job.batches])
        return out.wait() if hasattr(out, "wait") else out

    # Its outputs come owner by owner; the loss weighs each table's as on our side.
    with torch.no_grad():
        order = list(map(names.index, look_up(0).keys()))
    weights = torch.from_numpy(loss_weights(job, rank)).view(job.batch, job.tables, job.dim)[:, order]
    weights = weights.reshape(job.batch, -1).contiguous()

    def step(number: int) -> None:
        (look_up(number).values() * weights).sum().backward()

    for number in range(job.warm):
        step(number)
    samples, cpu_s = [], time.process_time()
    for number in range(job.steps):
        dist.barrier()
        began_s = time.perf_counter()
        step(job.warm + number)
        samples.append(time.perf_counter() - began_s)
    cpu_s = (time.process_time() - cpu_s) / job.steps
    with torch.no_grad():
        values = look_up(0).values().view(job.batch, job.tables, job.dim)
        values = values[:, [order.index(table) for table in range(job.tables)]].reshape(job.batch, -1)
    result = {"rank": rank, "seconds": samples, "cpu_s": cpu_s, "checks": check_sums(values.numpy()), "tables": owned,
              "torchrec": torchrec.__version__, "fbgemm": getattr(fbgemm_gpu, "__version__", "")}
    dist.barrier()
    dist.destroy_process_group()
    return result


def plan(size: int, job: Job):
    """Table i on rank i mod K, as ours; the planner would place equal tables alike."""
    from torch.distributed._shard.sharding_spec import EnumerableShardingSpec, ShardMetadata
    from torchrec.distributed.embedding_types import EmbeddingComputeKernel
    from torchrec.distributed.types import EmbeddingModuleShardingPlan, ParameterSharding, ShardingPlan, ShardingType

    of_tables = {}
    for i, name in enumerate(job.names()):
        shard = ShardMetadata(shard_offsets=[0, 0], shard_sizes=[job.rows, job.dim], placement=f"rank:{i % size}/cpu")
        of_tables[name] = ParameterSharding(ShardingType.TABLE_WISE.value, EmbeddingComputeKernel.FUSED.value,
                                            ranks=[i % size], sharding_spec=EnumerableShardingSpec([shard]))
    return ShardingPlan(plan={"0": EmbeddingModuleShardingPlan(of_tables)})


if __name__ == "__main__":
    done = main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], Job(**json.loads(sys.argv[4])))
    print(json.dumps(done), flush=True)
