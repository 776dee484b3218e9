"""Letters whose tensors are given away: read where they lie, given back once, and memory that is used again."""

from contextlib import nullcontext

import numpy as np
import pytest
import torch

from pslab.comm import Mail, ProcessWorld, SimWorld, wire
from pslab.comm.errors import WireError

ROWS, DIM = 1000, 40                        # 160 KB: too long to travel behind its header


def numbered(comm, number, shape=(ROWS, DIM), kit=True):
    x = comm.empty(shape) if kit else torch.empty(shape)
    return x.copy_(torch.arange(x.numel()).view(shape) + 7 * number)


def giver(comm, letters, kit):
    """Rank 0 gives; how many blocks its heap needed, and how many letters are out in the end."""
    for number in range(letters):
        comm.poll()
        keys = comm.empty((ROWS,), torch.int64).copy_(torch.arange(ROWS) * 2)
        comm.post(1, "rows", {"q": number}, [keys, numbered(comm, number, kit=kit)], give=True)
    comm.poll()
    endpoint = comm._endpoint
    heap = getattr(endpoint, "heap", None)
    return None if heap is None else (len(heap._blocks) + sum(map(len, heap._free.values())),
                                      len(endpoint.channels[1].given))


def taker(comm, letters, how):
    seen = []
    for number in range(letters):
        comm.post(0, "next", {})
        mail = comm.poll()
        expected = (np.arange(ROWS * DIM) + 7 * number).reshape(ROWS, DIM)
        if how == "views":
            keys, rows = mail.views()
            right, writable = np.array_equal(rows, expected) and keys[-1] == 2 * ROWS - 2, rows.flags.writeable
            mail.release()
        else:
            keys, rows = mail.tensors
            rows += 1                                       # they are the receiver's own
            right, writable = np.array_equal(rows, expected + 1) and mail.tensors[1] is rows, True
        seen.append((right, writable, mail.kind, mail.meta, type(mail).__name__))
    comm.post(0, "enough", {})
    return seen


def both(comm, letters, how, kit):
    return giver(comm, letters, kit) if comm.rank == 0 else taker(comm, letters, how)


@pytest.mark.parametrize("how", ["views", "tensors"])
@pytest.mark.parametrize(("world", "kit", "in_place"), [
    (lambda: ProcessWorld(2), True, True), (lambda: ProcessWorld(2), False, False),
    (lambda: ProcessWorld(2, transport="tcp"), True, False), (lambda: nullcontext(SimWorld(2)), True, False)],
    ids=["shm", "shm, other memory", "tcp", "simulator"])
def test_a_given_letter_is_read_where_it_lies(world, kit, in_place, how):
    with world() as world:
        run = world.run(both, 12, how, kit)
    heap, seen = run.results
    assert [(right, kind, meta) for right, _, kind, meta, _ in seen] == [(True, "rows", {"q": q}) for q in range(12)]
    assert {name == "GivenMail" for *_, name in seen} == {in_place}
    if how == "views" and in_place:
        assert not any(writable for _, writable, *_ in seen)          # it is not this rank's memory
    if in_place:
        blocks, still_given = heap
        assert still_given == 0
        assert blocks <= 4                                            # two letters of two tensors, used again and again
    assert run.ledger.link(0, 1, "vals") == 12 * ROWS * DIM * 4
    assert run.ledger.link(0, 1, "keys") == 12 * ROWS * 8


def test_the_bytes_are_those_of_letters_that_are_copied():
    with ProcessWorld(2) as world:
        ledgers = [world.run(both, 3, "views", kit).ledger for kit in (True, False)]
    assert ledgers[0].counts.tolist() == ledgers[1].counts.tolist()


def forgetful(comm):
    """Rank 1 never looks into some letters: they come back when they are dropped."""
    import gc
    if comm.rank == 0:
        for number in range(6):
            comm.post(1, "rows", {}, [numbered(comm, number)], give=True)
        comm.poll()
        still_given = len(comm._endpoint.channels[1].given)
        comm.post(1, "counted", {})
        return still_given
    for _ in range(6):
        mail = comm.poll()
    kept = mail
    del mail
    gc.collect()
    comm.post(0, "done", {})                                # the word goes out before this letter does
    comm.poll()
    return float(kept.views()[0][0, 0])


def test_what_nobody_looks_at_is_given_back_when_it_is_dropped():
    with ProcessWorld(2) as world:
        assert world.run(forgetful).results == [1, 35.0]


def after_release(comm):
    if comm.rank == 0:
        comm.post(1, "rows", {}, [numbered(comm, 1)], give=True)
        return None
    mail = comm.poll()
    mail.release()
    mail.release()                                          # once more does nothing
    try:
        mail.views()
    except ValueError as error:
        return str(error)
    return "no error"


def test_after_release_there_is_nothing_to_see():
    with ProcessWorld(2) as world:
        said = world.run(after_release).results[1]
    assert said == "mail 'rows' of rank 0 was released; take its views, or tensors, before that"


def short(comm):
    if comm.rank == 0:
        comm.post(1, "rows", {}, [numbered(comm, 1, (3, 5))], give=True)
        comm.post(0, "mine", {}, [numbered(comm, 2)], give=True)
        return type(comm.poll()).__name__
    return type(comm.poll()).__name__


def test_short_letters_and_those_to_oneself_travel_as_ever():
    with ProcessWorld(2) as world:
        assert "GivenMail" not in world.run(short).results


def test_views_of_a_letter_that_was_copied_are_its_tensors():
    mail = Mail(0, "rows", {}, [torch.arange(6.0).view(2, 3), torch.ones(4, dtype=torch.bfloat16)])
    rows, halves = mail.views()
    assert np.shares_memory(rows, mail.tensors[0].numpy())
    assert halves.dtype.itemsize == 2
    mail.release()
    assert mail.tensors[0][1, 2] == 5


def test_a_first_page_that_lies_about_its_offsets():
    array = np.zeros((4, 2), np.float32)
    descriptor, head_bytes = wire.describe_mail("rows", {"q": 1}, [(array, "float32")] * 2, [4096, 8192])
    kind, meta, shapes = wire.read_mail(descriptor, 64, head_bytes, shared=True)
    assert (kind, meta, wire.offsets_of(descriptor, len(shapes))) == ("rows", {"q": 1}, [4096, 8192])
    assert wire.read_mail(descriptor, 64, 0, shared=True) == (kind, meta, shapes)
    for broken in (descriptor[:-1], descriptor[:-8], descriptor + b"\0"):
        with pytest.raises(WireError):
            wire.read_mail(broken, 64, head_bytes, shared=True)
    for wrong in (head_bytes - 1, head_bytes + 1):
        with pytest.raises(WireError):
            wire.read_mail(descriptor, 64, wrong, shared=True)
