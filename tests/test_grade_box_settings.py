"""What a judge sets for a run, and what a run tells about its arguments, gets through to the box and back."""

import math

import pytest
import torch
from grade_box_watch import own_zygote

from pslab.comm import Link
from pslab.grade.box import Box, Source

CODE = """
import numpy as np
import torch
def draws(comm): return float(torch.rand(1)), float(np.random.rand())
def doubles(comm, x, y):
    if comm.rank == 1: y *= 2
    return x + y
def passes_on(comm):
    if comm.rank == 0: return comm.send(torch.ones(1), 1)
    comm.recv(0)
"""


@pytest.fixture(scope="module")
def answers():
    with own_zygote(), Box(Source.of_text(CODE)) as open_box:
        yield open_box


def test_the_seed_of_a_run_decides_what_its_ranks_draw(answers):
    first, again, other = (answers.run("draws", 2, seed=seed).results for seed in (1, 1, 2))
    assert first == again
    assert all(mine != theirs for mine, theirs in zip(first, other))
    assert first[0] != first[1]


def test_a_run_tells_which_argument_a_rank_changed(answers):
    run = answers.run("doubles", 2, torch.ones(2), torch.ones(3)[:2])
    assert run.changed_inputs == [(1, 1)]
    assert answers.run("doubles", 1, torch.ones(2), torch.ones(2)).changed_inputs == []


def test_a_link_throttles_real_processes(answers):
    link = Link(latency_s=0.2, bandwidth_Bps=math.inf)
    assert answers.run("passes_on", 2, world="process", link=link).seconds >= 0.2
