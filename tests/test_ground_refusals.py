"""What is refused before anything runs, in the user's terms; names of collectives in tables; files of commands."""

import re
import stat

import pytest
import torch

from pslab.collectives import all_reduce, broadcast
from pslab.comm import COLLECTIVE_TAGS, Disagreement, Link, ProcessWorld, SimWorld
from pslab.comm.tags import label
from pslab.files import check_writable
from pslab.ps import SGD, AdaGrad
from pslab.train import Job


def nothing(comm):
    pass


@pytest.mark.parametrize(("call", "text"), [
    (lambda: Link(latency_s="a"), "latency_s='a'; a number of seconds"),
    (lambda: Link(overhead_s=None), "overhead_s=None"),
    (lambda: Link(latency_s=True), "latency_s=True"),
    (lambda: Link(bandwidth_Bps="fast"), "bandwidth_Bps='fast'"),
    (lambda: SimWorld(True), "world_size=True"),
    (lambda: ProcessWorld(True), "world_size=True"),
    (lambda: SimWorld(2).run(nothing, timeout_s="x"), "timeout_s='x'; more than 0 seconds"),
    (lambda: SimWorld(2).run(nothing, per_rank=3), "per_rank is 3; one tuple of arguments for each of the 2 ranks"),
    (lambda: SimWorld(2).run(lambda comm: comm.sleep("x")), "seconds='x'"),
    (lambda: SimWorld(2).run(lambda comm: comm.poll("x")), "timeout_s='x'; 0 or more seconds"),
    (lambda: SGD(lr="a"), "lr='a'; 0 or a finite number"),
    (lambda: SGD(lr=True), "lr=True"),
    (lambda: AdaGrad(0.1, eps=None), "eps=None"),
    (lambda: Job((), 3, optimizer="adagrad"), "optimizer='adagrad'; an update rule is needed, as AdaGrad(0.05)"),
])
def test_refused_with_the_argument_and_its_value(call, text):
    with pytest.raises(ValueError, match=".") as caught:
        call()
    assert text in str(caught.value)


def test_processes_refuse_the_same():
    with ProcessWorld(2) as world:
        for kwargs, text in (({"timeout_s": "x"}, "timeout_s='x'"), ({"limit_s": None}, "limit_s=None"),
                             ({"per_rank": 3}, "per_rank is 3"), ({"per_rank": [()]}, "per_rank holds 1 entries")):
            with pytest.raises(ValueError, match=".") as caught:
                world.run(nothing, **kwargs)
            assert text in str(caught.value)


def test_numpy_numbers_are_numbers():
    import numpy as np
    assert Link(latency_s=np.float32(0.5)).port_s(0) == 0.0
    assert SGD(np.float64(0.1)).lr == 0.1


# ---- the table names collectives -------------------------------------------------------------------------------------


def in_two_collectives(comm):
    if comm.rank == 0:
        all_reduce(comm, torch.ones(4))
    else:
        broadcast(comm, torch.ones(4))


def test_a_group_that_disagrees_on_its_collective_reads_which_is_which():
    with pytest.raises(Disagreement) as caught:
        SimWorld(2).run(in_two_collectives)
    text = str(caught.value)
    line = r" +test_ground_refusals.py:\d+ in in_two"
    assert re.search(r"0 +all_reduce\(float32\[4\], op='sum', algorithm='ring'\)" + line, text)
    assert re.search(r"1 +broadcast\(float32\[4\], src=0, algorithm='binomial'\)" + line, text)
    assert "rank 0 to rank 1, tag all_reduce: float32[2]" in caught.value.undelivered[0]


def test_real_processes_say_it_too():
    with ProcessWorld(2) as world, pytest.raises(Disagreement) as caught:
        world.run(in_two_collectives)
    assert [(rank, call.partition("(")[0]) for rank, call, _ in caught.value.calls] == [("0", "all_reduce"),
                                                                                      ("1", "broadcast")]


def test_users_tags_are_told_as_they_are():
    assert label(7) == "7"
    assert label(2**31 - 1) == "2147483647"
    assert {label(head + 2**55 - 1) for head in COLLECTIVE_TAGS.values()} == set(COLLECTIVE_TAGS)
    assert len(set(COLLECTIVE_TAGS.values())) == len(COLLECTIVE_TAGS) == 10


def test_shapes_may_differ_where_the_number_of_elements_is_equal():
    def program(comm):
        x = torch.arange(6.0).reshape((2, 3) if comm.rank else (6,))
        all_reduce(comm, x)
        return x
    flat, square = SimWorld(2).run(program).results
    assert flat.tolist() == [2.0 * i for i in range(6)]
    assert torch.equal(square, flat.reshape(2, 3))


# ---- files -----------------------------------------------------------------------------------------------------------


def test_a_folder_that_cannot_be_written_is_found_by_trying(tmp_path, monkeypatch):
    """Permission bits do not bind root, and a full or read-only file system does not show in them: so it is tried."""
    def refused(*args, **kwargs):
        raise OSError(30, "Read-only file system")

    assert tmp_path.stat().st_mode & stat.S_IWUSR
    check_writable("--json", tmp_path / "a.json")
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr("tempfile.NamedTemporaryFile", refused)
    with pytest.raises(ValueError, match=r"--json .*a.json: the folder .* cannot be written to \(Read-only file"):
        check_writable("--json", tmp_path / "a.json")
