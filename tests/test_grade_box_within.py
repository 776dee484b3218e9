"""A course's own program around an answer (`within`), and modules that are loaded once for all boxes (`preload`)."""

import sys
import types

import pytest
import torch

from pslab.grade import Case, Criterion, Exercise, Misconception, Verdict, judge
from pslab.grade.box import Box, Forbidden, NotYet, Raised, Source

FACTOR = 10


def doubled_calls(function, comm, x):
    """Calls the answer twice and brings a variable of this module along."""
    return [function(comm, x), function(comm, x) * FACTOR]


@pytest.fixture
def around():
    """A program in a module of the course's, as lab modules hold them."""
    module = types.ModuleType("pslab.exercises.toy_program")
    exec("def twice(function, comm, x):\n    return function(comm, x) + function(comm, 10 * x)\n", module.__dict__)
    module.twice.__module__ = module.__name__
    sys.modules[module.__name__] = module
    yield module.twice
    del sys.modules[module.__name__]


ADD = """
def add(comm, x):
    other = 1 - comm.rank
    work = comm.isend(x, other)
    total = x + comm.recv(other)
    work.wait()
    return total
"""


@pytest.mark.parametrize("world", ["sim", "process"])
def test_the_program_runs_around_the_answer_in_both_worlds(world, around):
    xs = [torch.tensor([1.0]), torch.tensor([2.0])]
    with Box(Source.of_text(ADD)) as answers:
        bare = answers.run("add", 2, per_rank=[(x,) for x in xs], world=world)
        run = answers.run("add", 2, per_rank=[(x,) for x in xs], world=world, within=around)
    assert [r.tolist() for r in bare.results] == [[3.0], [3.0]]
    assert [r.tolist() for r in run.results] == [[33.0], [33.0]]
    assert run.ledger.total() == 2 * bare.ledger.total()


def test_it_brings_its_module_along():
    with Box(Source.of_text("def add(comm, x):\n    return x + comm.rank\n")) as answers:
        run = answers.run("add", 2, 5, within=doubled_calls)
    assert run.results == [[5, 50], [6, 60]]


def test_a_collective_inside_the_answer_is_refused_as_before(around):
    code = "from pslab import collectives\ndef add(comm, x):\n    collectives.all_reduce(comm, x)\n    return x\n"
    with Box(Source.of_text(code)) as answers, pytest.raises(Forbidden, match="asks you to build it"):
        answers.run("add", 2, torch.ones(2), within=around)


def test_what_fails_is_told_as_the_answer_s_line(around):
    with Box(Source.of_text("def add(comm, x):\n    return x / 0\n")) as answers:
        with pytest.raises(Raised, match="ZeroDivisionError") as told:
            answers.run("add", 1, 3, within=around)
        assert told.value.where == "answer, line 2 in add"
    with Box(Source.of_text("def add(comm, x):\n    raise NotImplementedError('1.1')\n")) as answers:
        with pytest.raises(NotYet):
            answers.run("add", 1, 3, within=around)


LOADED = "import sys\ndef loaded(name):\n    return name in sys.modules\n"


def toy(preload):
    def asks(answers, case):
        return Verdict(answers.call("loaded", "this"), misconception="1/not-there")
    return Exercise(id="1.1", lab="1", title="t", names=("loaded",), signature="loaded(name)", points=1, minutes=1,
                    difficulty=1, core=True, prerequisites=(), goal="g", example="e", hints=("h",), preload=preload,
                    misconceptions=(Misconception("1/not-there", "It is not loaded."),),
                    criteria=(Criterion("there", asks, 1),))


def test_a_module_is_loaded_before_the_box_and_only_where_it_is_asked_for():
    with Box(Source.of_text(LOADED)) as answers:
        assert not answers.call("loaded", "this")
    exercise = toy(("this",))                                      # the Zen of Python: small, and nobody else's
    with Box(Source.of_text(LOADED), preload=exercise.preload) as answers:
        assert judge(exercise, answers, Case(1)).passed


def test_the_doors_hand_on_what_an_exercise_wants_loaded(monkeypatch):
    from pslab.grade import checking

    asked = []

    class Watched(Box):
        def __enter__(self):
            asked.append(self.preload)
            return super().__enter__()

    monkeypatch.setattr("pslab.grade.box.Box", Watched)

    def loaded(name):
        return True

    checking.public_report(toy(("torch._dynamo",)), {"loaded": loaded})
    assert asked == [("torch._dynamo",)]


@pytest.mark.parametrize("preload", [(), ("torch._dynamo",)])
def test_an_answer_may_seed_torch(preload):
    """torch.manual_seed formats the stack, which reads the files of all who are on it."""
    code = "import torch\ndef seeded():\n    torch.manual_seed(3)\n    return torch.rand(1).item()\n"
    with Box(Source.of_text(code), preload=preload) as answers:
        assert answers.call("seeded") == torch.rand(1, generator=torch.Generator().manual_seed(3)).item()


def test_wrappers_that_a_loaded_module_puts_around_torch_are_no_change_of_the_answer_s():
    """torch._dynamo replaces torch.manual_seed when it is imported; optimizers import it."""
    code = """
import torch
def stepped():
    w = torch.zeros(2, requires_grad=True)
    w.sum().backward()
    torch.optim.SGD([w], lr=0.5).step()
    return w.tolist()
"""
    with Box(Source.of_text(code), preload=("torch._dynamo",)) as answers:
        assert answers.call("stepped") == [-0.5, -0.5]
    spoils = "import torch\ndef seeded():\n    torch.manual_seed = print\n"
    with Box(Source.of_text(spoils), preload=("torch._dynamo",)) as answers, \
            pytest.raises(Forbidden, match="changed torch.manual_seed"):
        answers.call("seeded")


def test_a_module_that_is_not_there_is_nobody_s_end():
    with Box(Source.of_text(LOADED), preload=("no_such_module",)) as answers:
        assert not answers.call("loaded", "no_such_module")
