"""Bad input of the collectives: a ValueError that names the argument, its value and what is allowed."""

import re

import numpy as np
import pytest
import torch

from pslab.collectives import all_gather, all_reduce, all_to_all, broadcast, reduce_scatter
from pslab.comm import SimWorld


def one(comm):
    """Whatever is refused, is refused by a lone rank too: before anything is sent."""
    return torch.ones(4)


@pytest.mark.parametrize(("call", "known"), [
    (lambda c, a: all_reduce(c, one(c), algorithm=a), "ring"),
    (lambda c, a: reduce_scatter(c, one(c), algorithm=a), "ring"),
    (lambda c, a: all_gather(c, one(c), algorithm=a), "ring"),
    (lambda c, a: broadcast(c, one(c), algorithm=a), "binomial"),
    (lambda c, a: all_to_all(c, [one(c)] * c.world_size, algorithm=a), "pairwise")])
def test_algorithms_are_validated(call, known):
    for K in (1, 3):
        for good in ("auto", known):
            SimWorld(K).run(call, good)
        for bad in ("teleport", "", None, "Ring"):
            with pytest.raises(ValueError, match=re.escape(f"algorithm={bad!r}; allowed: auto, {known}")):
                SimWorld(K).run(call, bad)


@pytest.mark.parametrize("collective", [all_reduce, reduce_scatter])
@pytest.mark.parametrize("op", ["average", "SUM", None, ""])
def test_unknown_op(collective, op):
    with pytest.raises(ValueError, match=re.escape(f"op={op!r}; allowed: sum, max, min, prod, mean")):
        SimWorld(1).run(lambda comm: collective(comm, one(comm), op))


@pytest.mark.parametrize("src", [-1, 3, 1.0, "0", None])
def test_broadcast_source_outside_the_group(src):
    with pytest.raises(ValueError, match=re.escape(f"src={src!r}; this group has ranks 0..2")):
        SimWorld(3).run(lambda comm: broadcast(comm, one(comm), src))


@pytest.mark.parametrize(("make", "message"), [
    (lambda: [1.0, 2.0], "tensor is a list"), (lambda: 3.0, "tensor is a float"),
    (lambda: np.array(["a"]), "tensor has dtype <U1; allowed: bool, complex128"),
    (lambda: np.zeros(3, np.longdouble), "tensor has dtype"), (lambda: np.zeros(3, ">f4"), "tensor has dtype >f4"),
    (lambda: torch.ones(3).to_sparse(), "a dense CPU tensor is needed"),
    (lambda: torch.ones(3, device="meta"), "on meta; a dense CPU tensor is needed")])
def test_what_cannot_travel(make, message):
    calls = (lambda c: all_reduce(c, make()), lambda c: reduce_scatter(c, make()), lambda c: all_gather(c, make()),
             lambda c: broadcast(c, make()))
    for call in calls:
        with pytest.raises(ValueError, match=re.escape(message)):
            SimWorld(1).run(call)
    with pytest.raises(ValueError, match=re.escape(re.sub("^tensor ", "tensors[0] ", message))):
        SimWorld(1).run(lambda c: all_to_all(c, [make()]))


def test_what_cannot_be_written():
    def read_only(comm):
        x = np.ones(3)
        x.flags.writeable = False
        all_reduce(comm, x)

    with pytest.raises(ValueError, match="tensor is read-only"):
        SimWorld(1).run(read_only)
    with pytest.raises(ValueError, match="tensor is expanded"):
        SimWorld(1).run(lambda comm: all_reduce(comm, torch.ones(1).expand(3)))
    with pytest.raises(ValueError, match="tensor is expanded"):
        SimWorld(2).run(lambda comm: broadcast(comm, torch.ones(1).expand(3), 0))


def test_all_to_all_needs_one_tensor_a_rank_and_one_dtype():
    with pytest.raises(ValueError, match=r"tensors has 2 entries; one for each of the 3 ranks"):
        SimWorld(3).run(lambda comm: all_to_all(comm, [torch.ones(1)] * 2))
    with pytest.raises(ValueError, match=r"tensors\[1\] is int64 and tensors\[0\] is float32"):
        SimWorld(2).run(lambda comm: all_to_all(comm, [torch.ones(1), torch.ones(1, dtype=torch.int64)]))
