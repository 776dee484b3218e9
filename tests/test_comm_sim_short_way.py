"""Where the simulator's short way could differ from the plain one: both must refuse the same, in the same words.

A trace closes the short way; without one it is open to NumPy arrays from a pair's second message on.
"""

import numpy as np
import pytest
import torch

from pslab.comm import CommError, SimWorld


def twice(comm, late, second):
    """0 sends [1, 1, 1, 1] and then what `second` makes and does; 1 receives both, the second one `late` or early."""
    out = np.zeros(4, np.uint16)
    if comm.rank == 0:
        comm.isend(np.ones(4, np.uint16), 1).wait()
        comm.compute(0 if late else 2)
        second(comm)
    else:
        comm.recv(0, out=out)
        comm.compute(1 if late else 0)
        comm.recv(0, out=out)
    return out.tolist()


def told(second, late, error, trace):
    with pytest.raises(error) as caught:
        SimWorld(2, trace=trace).run(twice, late, second)
    lines = [str(caught.value), *caught.value.__notes__]
    return [line.split(" at test_")[0] + line[line.find(" was changed"):] if " at test_" in line else line
            for line in lines]


@pytest.mark.parametrize("late", [True, False])
def test_bfloat16_is_not_uint16(late):
    """They look alike inside; as NumPy arrays they are even of one dtype."""
    def second(comm):
        comm.isend(torch.ones(4, dtype=torch.bfloat16), 1).wait()

    lines = told(second, late, ValueError, trace=False)
    assert lines == told(second, late, ValueError, trace=True)
    assert lines[0].startswith("rank 0 sent bfloat16[4], but rank 1 receives into uint16[4]")


@pytest.mark.parametrize("numbers", [4, 400, 40_000])
@pytest.mark.parametrize("waits", [True, False])
def test_a_buffer_changed_before_delivery(waits, numbers):
    """Tiny arrays are sealed by their bytes, others by a checksum, large ones by a folded one."""
    def program(comm):
        out = np.zeros(numbers)
        if comm.rank == 0:
            x = np.arange(float(numbers))
            comm.isend(x, 1).wait()
            work = comm.isend(x, 1)
            x[numbers // 2] += 1
            comm.compute(2)
            if waits:
                work.wait()
        else:
            comm.recv(0, out=out)
            comm.compute(1)
            comm.recv(0, out=out)

    for trace in (True, False):
        with pytest.raises(CommError, match="was changed before its wait\\(\\)") as caught:
            SimWorld(2, trace=trace).run(program)
        assert caught.value.__notes__ == ["raised by rank 1"]


@pytest.mark.parametrize("numbers", [4, 400, 40_000])
@pytest.mark.parametrize("trace", [True, False])
def test_a_buffer_changed_after_delivery_and_before_its_wait(trace, numbers):
    def program(comm):
        out = np.zeros(numbers)
        if comm.rank == 0:
            x = np.arange(float(numbers))
            comm.isend(x, 1).wait()
            work = comm.isend(x, 1)
            comm.compute(2)
            x[-1] += 1
            work.wait()
        else:
            comm.recv(0, out=out)
            comm.recv(0, out=out)
        return out

    with pytest.raises(CommError, match="was changed before its wait\\(\\)") as caught:
        SimWorld(2, trace=trace).run(program)
    assert caught.value.__notes__ == ["raised by rank 0"]


@pytest.mark.parametrize("op", [None, "sum", "max", "min", "prod"])
@pytest.mark.parametrize("late", [True, False])
def test_every_op_either_way_round(op, late):
    """The receiver comes after the sender, or before it: two places where the short way reduces."""
    def program(comm):
        mine, out = np.arange(5.0) + 2, np.arange(5.0)[::-1].copy()
        if comm.rank == 0:
            comm.isend(mine, 1).wait()
            comm.compute(0 if late else 2)
            comm.isend(mine, 1).wait()
        else:
            comm.recv(0, out=np.zeros(5))
            comm.compute(1 if late else 0)
            comm.recv(0, out=out, op=op)
        return out.tolist()

    base, sent = np.arange(5.0)[::-1], np.arange(5.0) + 2
    expected = {None: sent, "sum": base + sent, "max": np.maximum(base, sent), "min": np.minimum(base, sent),
                "prod": base * sent}[op].tolist()
    for trace in (True, False):
        assert SimWorld(2, trace=trace).run(program).results[1] == expected


def test_counts_of_messages_of_many_lengths():
    def program(comm):
        for numbers in (3, 3, 3, 0, 0, 7, 3):
            work = comm.isend(np.zeros(numbers), 1 - comm.rank)
            comm.recv(1 - comm.rank, out=np.zeros(numbers))
            work.wait()

    for trace in (True, False):
        ledger = SimWorld(2, trace=trace).run(program).ledger
        assert ledger.link(0, 1) == ledger.link(1, 0) == 19 * 8
        assert ledger.messages(0, 1) == 7
