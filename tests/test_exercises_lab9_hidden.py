"""9.3: what its hidden check asks beyond the public ones; forms of answers that are right, or told as what they are."""

import numpy as np
import pytest
import torch
from direct_answers import Direct

from pslab import exercises
from pslab.exercises import lab9_combine_checks
from pslab.grade import cases
from pslab.grade.judging import verdict_of


@pytest.fixture(scope="module")
def right(repo_root):
    namespace = {}
    exec((repo_root / "tests" / "answers" / "lab9" / "ex_9_3" / "right_root.py").read_text(), namespace)
    return namespace


def verdict(name, functions):
    exercise = exercises.get("9.3")
    public, hidden = cases("9.3", "ann", "a secret")
    criterion = next(c for c in exercise.criteria if c.name == name)
    return verdict_of(criterion, exercise, Direct(functions), hidden if criterion.hidden else public)


@pytest.mark.parametrize("seed", range(4))
def test_the_hidden_check_has_one_worker_many_workers_and_ordinary_floats(seed):
    problems = list(lab9_combine_checks._problems_hidden(np.random.default_rng(seed)))
    assert problems[0].K == 1
    assert max(p.K for p in problems) >= 5
    assert any(0 in p.unique for p in problems)
    assert any((grads != np.round(grads)).any() for p in problems for grads in p.grads)


def test_a_program_for_two_workers_or_more_is_refused_by_the_hidden_check(right):
    def needs_two(comm, *given):
        return right["combine_sparse"](comm, *given) if comm.world_size > 2 else None
    functions = {"combine_sparse": needs_two, "combine_dense": right["combine_dense"]}
    assert verdict("the case done by hand", functions).passed
    assert verdict("ids twice, in any order, or none", functions).passed
    assert not verdict("other workers, other tables", functions).passed


def test_ids_may_be_a_list_of_whole_numbers(right):
    def listed(comm, *given):
        result = right["combine_sparse"](comm, *given)
        return (result[0].tolist(), result[1]) if isinstance(result, tuple) else result
    functions = {**right, "combine_sparse": listed}
    assert verdict("ids twice, in any order, or none", functions).passed
    assert verdict("other workers, other tables", functions).passed


def test_a_table_of_fewer_bits_is_judged_by_its_numbers(right):
    def short(comm, *given):
        return right["combine_dense"](comm, *given).to(torch.bfloat16)
    found = verdict("rows that several workers touch", {**right, "combine_dense": short})
    assert (found.passed, found.where) == (False, "combine_dense: the table of worker 0")
    assert found.misconception == "9/wrong-table"


def test_bytes_between_workers_are_told_with_their_bound(right):
    def chatty(comm, *given):
        workers = comm.world_size - 1
        if comm.rank < workers:
            work = comm.isend(torch.zeros(2000), (comm.rank + 1) % workers)
            comm.recv((comm.rank - 1) % workers)
            work.wait()
        return right["combine_sparse"](comm, *given)
    found = verdict("bytes of the sparse combine", {**right, "combine_sparse": chatty})
    assert found.misconception == "9/rows-go-to-the-owner"
    assert found.expected.startswith("at most ")
    assert found.expected.endswith(" B over all links")
