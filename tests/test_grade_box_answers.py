"""The box answers: values, runs in both worlds, bytes, prints, memory; and says in a student's terms what is wrong."""

import math

import numpy as np
import pytest
import torch

from pslab.comm import Faults, Link
from pslab.grade import failures
from pslab.grade.box import Box, Cell, Limits, Source

CODE = '''
import os
import torch
from pslab.grade import check, predict            # inert here
check("9.3", None)

def echo(*args, **kwargs):
    return [args, kwargs]

def stub():
    raise NotImplementedError("9.3")

def divide(a, b):
    c = a + 0
    return c / b

def ring(comm, x, scale=1):
    right, left = (comm.rank + 1) % comm.world_size, (comm.rank - 1) % comm.world_size
    work = comm.isend(x * scale, right)
    y = comm.recv(left)
    work.wait()
    print("rank", comm.rank, "has", y.tolist())
    return y

def both_receive(comm):
    return comm.recv((comm.rank + 1) % comm.world_size)

def touches_early(comm):
    x = torch.ones(3)
    if comm.rank == 0:
        work = comm.isend(x, 1)
        x += 1
        work.wait()
    else:
        comm.recv(0)

def post_office(comm):
    if comm.rank == 0:
        comm.post(1, "hello", {"n": 7})
        return None
    return comm.poll().meta["n"]

def hold(comm, elements):
    if comm.rank == 1:
        big = torch.ones(elements)
        return float(big.sum())

def offers(comm):
    return sorted(vars(comm))

def asks_barrier(comm):
    comm.barrier()

def slow(comm):
    comm.compute(2.0)
    return comm.now()

def place():
    return [os.getpid(), os.getuid(), os.getcwd(), sorted(os.listdir("."))]

count = 0
def remember():
    global count
    count += 1
    return count

letter = 0
def global_mail(comm):
    global letter
    if comm.rank == 0:
        letter = 42
        comm.send(torch.zeros(1), 1)
        return 0
    comm.recv(0)
    return letter

def wanted(what):
    return {"set": {1, 2}, "object": object(), "huge": 2**70, "nested": (lambda f: f(f))(lambda f: 0)}[what]
'''


@pytest.fixture(scope="module")
def answers():
    with Box(Source.of_text(CODE)) as answers:
        yield answers


def tokens(k):
    """Element j of rank r is j*K + r."""
    return [(torch.arange(3, dtype=torch.float32) * k + r,) for r in range(k)]


def test_values_go_there_and_back_as_they_are(answers):
    given = [1, 2.5, "ä", None, True, b"x", (1, (2,)), {"a": [1], 3: 4}, torch.arange(6).reshape(2, 3),
             np.arange(3.0), float("inf")]
    args, kwargs = answers.call("echo", *given, key=torch.ones(2))
    assert len(args) == len(given)
    for sent, came in zip(given, args):
        if isinstance(sent, (torch.Tensor, np.ndarray)):
            assert type(sent) is type(came)
            assert sent.dtype == came.dtype
            assert (np.asarray(sent) == np.asarray(came)).all()
        else:
            assert came == sent
            assert type(came) is type(sent)
    assert torch.equal(kwargs["key"], torch.ones(2))


def test_a_run_in_the_simulator_brings_its_bytes_and_its_trace(answers):
    run = answers.run("ring", 3, per_rank=tokens(3), link=Link(latency_s=1.0, bandwidth_Bps=12.0))
    assert [r.tolist() for r in run.results] == [tokens(3)[(r - 1) % 3][0].tolist() for r in range(3)]
    assert run.ledger.total() == 3 * 12
    assert run.ledger.link(0, 1) == 12
    assert run.ledger.messages() == 3
    assert run.seconds == pytest.approx(2.0)                       # 12 bytes at 12 B/s, and the latency
    assert {(e.src, e.dst, e.payload_bytes) for e in run.trace.events} == {(0, 1, 12), (1, 2, 12), (2, 0, 12)}
    assert run.prints == [f"rank {r} has {run.results[r].tolist()}\n" for r in range(3)]


def test_knobs_of_a_run_arrive(answers):
    same = {"per_rank": tokens(2), "link": Link(latency_s=1.0, bandwidth_Bps=math.inf)}
    slow_link = {(0, 1): Link(latency_s=5.0, bandwidth_Bps=math.inf)}
    assert answers.run("ring", 2, **same).seconds == 1.0
    assert answers.run("ring", 2, links=slow_link, **same).seconds == 5.0
    assert len(answers.run("ring", 2, trace=False, **same).trace) == 0
    assert answers.run("slow", 2, faults=Faults(slow={1: 3.0})).results == [2.0, 6.0]
    assert answers.run("ring", 2, torch.ones(2), 5).results[0].tolist() == [5.0, 5.0]
    with pytest.raises(failures.Raised, match="no 'post'"):
        answers.run("post_office", 2)
    assert answers.run("post_office", 2, face="mail").results == [None, 7]


def test_the_comm_offers_what_the_exercise_is_about(answers):
    tensors = ["compute", "irecv", "isend", "now", "rank", "recv", "send", "world_size"]
    assert answers.run("offers", 2).results == [tensors] * 2
    assert answers.run("offers", 2, face="mail").results == [sorted([*tensors, "poll", "post"])] * 2
    with pytest.raises(failures.Raised, match="has no 'barrier'"):
        answers.run("asks_barrier", 2)


def test_a_run_of_real_processes_brings_the_same(answers):
    run = answers.run("ring", 3, per_rank=tokens(3), world="process")
    assert [r.tolist() for r in run.results] == [tokens(3)[(r - 1) % 3][0].tolist() for r in range(3)]
    assert run.ledger.total() == 36
    assert len(run.trace) == 3
    assert run.prints[1] == f"rank 1 has {run.results[1].tolist()}\n"
    assert answers.run("global_mail", 2, world="process").results == [0, 0]       # memory is not shared
    assert answers.run("global_mail", 2).results == [0, 42]                       # in the simulator it is: count bytes


def test_the_peak_of_memory_grows_with_what_a_rank_holds(answers):
    answers.run("hold", 2, 1000)
    small, large = (answers.run("hold", 2, n).peak_bytes for n in (1_000, 8_000_000))
    assert small < 8 << 20
    assert 30 << 20 < large - small < 40 << 20                                    # 8 million elements of 4 bytes


def test_an_answer_that_fails_says_what_and_where(answers):
    for name, args, kind, seen, where in [
            ("stub", (), failures.NotYet, "9.3", "answer, line 11 in stub"),
            ("divide", (1, 0), failures.Raised, "ZeroDivisionError: division by zero", "answer, line 15 in divide"),
            ("nowhere", (), failures.Missing, "there is no function nowhere", "")]:
        with pytest.raises(kind, match=seen) as caught:
            answers.call(name, *args)
        assert type(caught.value) is kind
        assert caught.value.where == where
    with pytest.raises(failures.BufferChanged) as caught:
        answers.run("touches_early", 2)
    assert caught.value.run.ledger.messages() == 1                                # what was sent until then
    with pytest.raises(failures.Stalled, match=r"0 +recv\(src=1, tag=0\) +rank 1") as caught:
        answers.run("both_receive", 2)
    assert caught.value.where == "answer, line 26 in both_receive"
    with pytest.raises(failures.Raised, match="rank 0"):
        answers.run("divide", 2, per_rank=[(1,), (0,)])                           # comm + 0 is no sum
    pid = answers.call("place")[0]
    assert pid == answers.call("place")[0]                                        # none of these cost the process


@pytest.mark.parametrize(("what", "why"), [("set", "type set"), ("object", "type object"), ("huge", "64 bit")])
def test_a_value_that_cannot_travel_is_told(answers, what, why):
    with pytest.raises(failures.BadValue, match=why):
        answers.call("wanted", what)


def test_one_process_for_an_exercise_and_a_fresh_one_for_the_next(answers):
    assert [answers.call("remember"), answers.call("remember")] == [1, 2]
    with Box(Source.of_text(CODE)) as other:
        assert other.call("remember") == 1
        pid, uid, _, files = other.call("place")
        assert pid != answers.call("place")[0]
        assert files == []
        assert uid != 0
    with pytest.raises(ValueError, match="closed"):
        other.call("remember")


def test_functions_of_this_process_are_copied_with_what_they_use():
    offset = 5

    def add(x):
        return helper(x) + offset

    with Box(Source.of_functions(add, twice=lambda x: 2 * x)) as answers:
        assert answers.call("add", 1) == 16
        assert answers.call("twice", 4) == 8
    with pytest.raises(ValueError, match="x is a int"):
        Source.of_functions(x=3)
    lock = __import__("threading").Lock()
    with pytest.raises(failures.BadValue, match="cannot be copied"):
        Source.of_functions(bad=lambda: lock)


def helper(x):
    return x + 10


def test_a_function_of_a_kernels_cell_is_placed_in_it():
    names = {}
    for text in ("def stalls(comm):\n    comm.recv(1 - comm.rank)", "def fails(x):\n    return x / 0"):
        exec(compile(text, "/tmp/ipykernel_77/123.py", "exec"), names)
    with Box(Source.of_functions(names["stalls"], names["fails"])) as answers:
        with pytest.raises(failures.Stalled) as stalled:
            answers.run("stalls", 2)
        with pytest.raises(failures.Raised) as raised:
            answers.call("fails", 1)
    assert stalled.value.where == "your cell, line 2 in stalls"
    assert raised.value.where == "your cell, line 2 in fails"


def test_cells_run_in_order_and_one_that_is_not_needed_may_fail():
    cells = [Cell("cell 1", "base = 1"), Cell("cell 2", "1/0", needed=False), Cell("cell 3", "def f(): return base")]
    with Box(Source.of_cells(cells)) as answers:
        assert answers.call("f") == 1
        assert answers.failed_cells == [("cell 2", "ZeroDivisionError: division by zero")]
        with pytest.raises(failures.Missing, match="cell 2 stopped with ZeroDivisionError"):
            answers.call("g")
    for text, kind, seen, where in [("x = 1\ndef f(:\n", failures.Raised, "SyntaxError", "cell 2, line 2"),
                                    ("x = 1\n1/0", failures.Raised, "ZeroDivisionError", "cell 2, line 2")]:
        with Box(Source.of_cells([Cell("cell 1", "a = 1"), Cell("cell 2", text)])) as answers:
            for _ in range(2):                                                    # each question gets the same word
                with pytest.raises(kind, match=seen) as caught:
                    answers.call("f")
                assert caught.value.where == where


def test_a_module_may_be_closed_to_an_exercise():
    code = "def f():\n    from pslab.cost import crossover\n    return 1"
    with Box(Source.of_text(code), forbidden=("pslab.cost",)) as answers:
        with pytest.raises(failures.Forbidden, match=r"imported pslab\.cost"):
            answers.call("f")


@pytest.mark.parametrize("wrong", [{"world": "moon"}, {"face": "all"}, {"world": "process", "faults": Faults()},
                                   {"per_rank": [()]}, {"timeout_s": 0}])
def test_a_wrong_question_is_the_judges_error(answers, wrong):
    with pytest.raises(ValueError):
        answers.run("ring", 2, **wrong)
    with pytest.raises(ValueError, match="wall_s=0"):
        Limits(wall_s=0)


def test_pictures_are_left_out_and_bring_no_forbidden_module_along():
    code = '''
from pslab import viz
from pslab.viz import Table
import pslab

def f():
    viz.curve([1, 2], {"a": [1, 2]}, xlabel="n (count)").show()
    with_kit = pslab.viz.style("stage"), Table(["a"], [[1]])
    import sys
    return "pslab.cost" in sys.modules, len(with_kit)

def g():
    import pslab.cost
'''
    with Box(Source.of_text(code), forbidden=("pslab.cost",)) as answers:
        assert answers.call("f") == (False, 2)
        with pytest.raises(failures.Forbidden, match=r"imported pslab\.cost"):
            answers.call("g")
