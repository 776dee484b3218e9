"""Three ranks under torchrun train sharded bags: torchrun --nproc-per-node=3 tests/torch_sharded.py FOLDER

Writes FOLDER/rank-R.pt: [(outputs of each step, {table: rows}) with distinct rows, the same with sums of bags].
"""

import sys
from pathlib import Path

import torch
from shard_cases import BATCHES, tables, train

from pslab.comm import TorchWorld
from pslab.embedding import Sharding

PLAN = {"a": Sharding("row_wise", by="hash"), "b": Sharding("column_wise", [2, 0]), "c": Sharding("data_parallel")}


def program(comm, folder):
    results = [train(comm, tables(mean=None), PLAN, BATCHES, dedup=dedup) for dedup in (True, False)]
    torch.save(results, Path(folder, f"rank-{comm.rank}.pt"))


if __name__ == "__main__":
    with TorchWorld() as world:
        world.run(program, sys.argv[1])
