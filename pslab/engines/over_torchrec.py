"""The engine `torchrec`: DistributedModelParallel for the tables, DDP for the MLPs, in torchrun's processes.

    torchrec.models.dlrm.DLRM                    first parameters: ours, under TorchRec's names
        embedding bags   table i on rank i mod K, its optimizer fused into backward (FBGEMM)
        MLPs             DistributedDataParallel, torch.optim
    Gloo and CPUs, or NCCL and a GPU a process (device="cuda")

TorchRec is not among the packages of the course: `make torchrec` installs its CPU build beside them.
"""

from __future__ import annotations

import importlib.util
import os
import time

from .job import EPS, EngineJob, EngineResult

NEEDED = ("torchrec", "fbgemm_gpu")
BAGS = "sparse_arch.embedding_bag_collection"


def check_torchrec() -> None:
    """ValueError that says how to get what is missing."""
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise ValueError(f"--engine torchrec needs {' and '.join(missing)}, which this Python does not have. `make "
                         f"torchrec` makes an environment of its own with the CPU build (requirements/torchrec.txt); "
                         f"then: .venv-torchrec/bin/python -m torch.distributed.run --nproc-per-node=2 -m pslab train "
                         f"--engine torchrec")
    if not all(os.environ.get(name) for name in ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")):
        raise ValueError("--engine torchrec runs in processes that torchrun started: python -m torch.distributed.run "
                         "--nproc-per-node=2 -m pslab train --engine torchrec")


def run_torchrec(job: EngineJob, device: str = "cpu") -> EngineResult:
    """Train in the processes that torchrun started; every one of them gets the result."""
    check_torchrec()
    import fbgemm_gpu
    import torch
    import torch.distributed as dist
    import torchrec

    where = torch.device("cpu")
    if device == "cuda":
        if not torch.cuda.is_available():
            raise ValueError("--device cuda: torch sees no GPU in this process")
        where = torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0)) % torch.cuda.device_count())
        torch.cuda.set_device(where)
    elif device != "cpu":
        raise ValueError(f"--device {device}: allowed are cpu, cuda")
    torch.set_num_threads(1)
    dist.init_process_group("nccl" if where.type == "cuda" else "gloo")
    try:
        mine = _train(job, where)
        workers: list = [None] * dist.get_world_size()
        dist.all_gather_object(workers, mine)
    finally:
        dist.destroy_process_group()
    versions = {"torch": torch.__version__, "torchrec": torchrec.__version__,
                "fbgemm": getattr(fbgemm_gpu, "__version__", "")}
    name = torch.cuda.get_device_name(where) if where.type == "cuda" else "cpu"
    return EngineResult.of_workers("torchrec", job, name, workers, versions)


def _train(job: EngineJob, device) -> dict:
    import torch
    import torch.distributed as dist
    import torch.nn.functional as F
    import torchrec

    rank, size = dist.get_rank(), dist.get_world_size()
    source = job.source()
    model, optimizer = _model(job, source, device)
    loss_sums, sizes, seconds = [], [], []
    for part, global_size in job.loader(source, rank, size).take(job.steps):
        began_s = time.perf_counter()
        ids = part.sparse
        sparse = torchrec.KeyedJaggedTensor.from_lengths_sync(ids.keys, ids.values, ids.lengths.to(torch.int32))
        logits = model(part.dense.to(device), sparse.to(device)).squeeze(1)
        loss = F.binary_cross_entropy_with_logits(logits, part.labels.to(device), reduction="sum")
        optimizer.zero_grad()
        # DDP and TorchRec take the mean over the ranks: with this factor it is the mean over the global batch.
        (loss * (size / global_size)).backward()
        optimizer.step()
        loss_sums.append(float(loss.detach()))
        sizes.append(global_size)
        seconds.append(time.perf_counter() - began_s)
    return {"loss_sums": loss_sums, "sizes": sizes, "seconds": seconds}


def _model(job: EngineJob, source, device):
    """(DistributedModelParallel, torch.optim of its dense parameters)."""
    import torch
    import torch.distributed as dist
    import torchrec
    from torchrec.distributed.embeddingbag import EmbeddingBagCollectionSharder
    from torchrec.distributed.model_parallel import DistributedModelParallel
    from torchrec.models.dlrm import DLRM
    from torchrec.optim.apply_optimizer_in_backward import apply_optimizer_in_backward
    from torchrec.optim.rowwise_adagrad import RowWiseAdagrad

    from pslab.models import to_torchrec

    ours, tables, sizes = job.model(source), job.tables(source), job.sizes()
    state = to_torchrec(ours.state_dict(), len(tables), sizes.interaction)
    pooling = {"sum": torchrec.PoolingType.SUM, "mean": torchrec.PoolingType.MEAN}
    bags = torchrec.EmbeddingBagCollection(device=torch.device("meta"), tables=[
        torchrec.EmbeddingBagConfig(name=table.name, embedding_dim=table.embedding_dim, feature_names=[table.name],
                                    num_embeddings=table.num_embeddings, pooling=pooling[table.pooling])
        for table in tables])
    if job.optimizer == "sgd":
        apply_optimizer_in_backward(torch.optim.SGD, bags.parameters(), {"lr": job.lr})
    else:
        apply_optimizer_in_backward(RowWiseAdagrad, bags.parameters(), {"lr": job.lr, "eps": EPS})
    model = DLRM(bags, ours.num_dense, list(sizes.bottom), list(sizes.top), device)
    if sizes.interaction == "cat":
        _concatenate(model, ours, sizes.top, device)
    dense = {name: value for name, value in state.items() if not name.startswith(BAGS)}
    missing, unknown = model.load_state_dict(dense, strict=False)
    assert not unknown, unknown
    assert all(name.startswith(BAGS) for name in missing), missing
    model = DistributedModelParallel(model, device=device, plan=_plan(tables, dist.get_world_size(), device),
                                     sharders=[EmbeddingBagCollectionSharder()])
    for name, value in model.state_dict().items():
        if name.startswith(BAGS):
            for shard in value.local_shards():
                shard.tensor.copy_(state[name])             # table-wise: a shard is the whole table
    parameters = [value for name, value in model.named_parameters() if BAGS not in name]
    if job.optimizer == "sgd":
        return model, torch.optim.SGD(parameters, lr=job.lr)
    return model, torch.optim.Adagrad(parameters, lr=job.lr, eps=EPS)


def _concatenate(model, ours, top, device) -> None:
    """TorchRec's DLRM has dot products alone; this puts concatenation in their place."""
    from torch import nn
    from torchrec.models.dlrm import OverArch

    from pslab.models import cat_interaction

    class Concatenation(nn.Module):
        def forward(self, dense_features, sparse_features):
            return cat_interaction(dense_features, sparse_features)

    model.inter_arch = Concatenation()
    model.over_arch = OverArch(ours.top[0].in_features, list(top), device)


def _plan(tables, size: int, device):
    """Table i on rank i mod K."""
    from torch.distributed._shard.sharding_spec import EnumerableShardingSpec, ShardMetadata
    from torchrec.distributed.embedding_types import EmbeddingComputeKernel
    from torchrec.distributed.types import EmbeddingModuleShardingPlan, ParameterSharding, ShardingPlan, ShardingType

    of_tables = {}
    for i, table in enumerate(tables):
        rank = i % size
        place = f"rank:{rank}/{device.type}" + (f":{rank}" if device.type == "cuda" else "")
        shard = ShardMetadata(shard_offsets=[0, 0], shard_sizes=[table.num_embeddings, table.embedding_dim],
                              placement=place)
        of_tables[table.name] = ParameterSharding(ShardingType.TABLE_WISE.value, EmbeddingComputeKernel.FUSED.value,
                                                  ranks=[rank], sharding_spec=EnumerableShardingSpec([shard]))
    return ShardingPlan(plan={BAGS: EmbeddingModuleShardingPlan(of_tables)})
