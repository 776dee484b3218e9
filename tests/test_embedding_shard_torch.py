"""Sharded bags under torchrun give what one process gives."""

import pytest
import torch
from shard_cases import BATCHES, alone, check_equal, tables
from torch_launch import ROOT, torchrun


@pytest.mark.long
def test_three_ranks_under_torchrun(tmp_path):
    code, out, err = torchrun(3, str(ROOT / "tests" / "torch_sharded.py"), str(tmp_path))
    assert code == 0, out + err
    results = [torch.load(tmp_path / f"rank-{rank}.pt") for rank in range(3)]
    expected = alone(tables(mean=None), BATCHES)
    for which in (0, 1):
        check_equal([result[which] for result in results], expected)
