"""Training-data servers: every row to exactly one worker in every epoch, whatever speed, world or faults."""

import random
from collections import Counter

import pytest
import torch

from pslab.comm import Faults, Link, Mail, ProcessWorld, SimWorld
from pslab.data import Partition
from pslab.train import DataServer, DataWorker, compare_feeding, serve_data

ROWS, WIDTH = 101, 3


def row_of(ids):
    """What stands in a row is known from its number: a swapped or doubled one is seen."""
    return torch.stack([ids * WIDTH + column for column in range(WIDTH)], 1).float(), ids % 7


def program(comm, K, S, batch, epochs, pace, settings):
    """Workers give [epoch, ids of a batch] in the order in which they got them; servers what they handed out."""
    servers = range(K, K + S)
    if comm.rank in servers:
        ids = torch.arange(ROWS)[comm.rank - K::S]
        return serve_data(comm, DataServer(row_of(ids), batch=batch, ids=ids, seed=comm.rank), range(K))
    worker, got = DataWorker(comm, servers, **settings), []
    for epoch in range(epochs):
        for ids, x, y in worker.epoch(epoch):
            assert torch.equal(x, row_of(ids)[0])
            assert torch.equal(y, row_of(ids)[1])
            assert x.dtype == torch.float32
            comm.compute(pace * (comm.rank + 1) * len(ids))
            got.append([epoch, ids.tolist()])
    worker.close()
    return got, worker.batches, worker.rows, worker.resent


def run(world, K=3, S=2, batch=8, epochs=2, pace=1e-6, **settings):
    return world.run(program, K, S, batch, epochs, pace, settings)


def check_exactly_once(done, K, epochs):
    seen = Counter((epoch, row) for got, *_ in done.results[:K] for epoch, ids in got for row in ids)
    assert seen == {(epoch, row): 1 for epoch in range(epochs) for row in range(ROWS)}
    for rank, (got, batches, rows, _) in enumerate(done.results[:K]):
        assert batches == len(got) == sum(handed[rank] for handed in done.results[K:])
        assert rows == sum(len(ids) for _, ids in got)


@pytest.mark.parametrize("ahead", [True, False])
@pytest.mark.parametrize(("K", "S", "batch"), [(1, 1, 101), (3, 2, 8), (2, 3, 1000), (5, 1, 1), (4, 4, 7)])
def test_every_row_is_one_workers_in_every_epoch(K, S, batch, ahead):
    done = run(SimWorld(K + S), K, S, batch, ahead=ahead)
    check_exactly_once(done, K, 2)
    assert sum(map(len, (ids for got, *_ in done.results[:K] for _, ids in got))) == 2 * ROWS
    assert max(len(ids) for got, *_ in done.results[:K] for _, ids in got) <= batch
    assert not any(resent for *_, resent in done.results[:K])
    firsts = [got[0][1][0] % S for got, *_ in done.results[:K]]
    assert firsts == [rank % S for rank in range(K)], "each begins with another server"


def test_the_bytes_are_those_of_the_rows_and_their_numbers():
    done = run(SimWorld(5))
    labels = numbers = 8 * ROWS * 2
    assert done.ledger.total("vals") == 4 * WIDTH * ROWS * 2 + 2 * 3, "and a byte from each server to each worker"
    assert done.ledger.total("keys") == labels + numbers
    assert done.ledger.total("retry") == 0
    assert done.ledger.link(0, 1) == 0, "workers do not talk to each other"


def test_a_slow_worker_gets_fewer_batches_and_all_end_together():
    def paced(comm, K):
        if comm.rank == K:
            return serve_data(comm, DataServer([torch.arange(6000)], batch=10), range(K))
        worker, ended_s = DataWorker(comm, [K]), 0.0
        for (ids, _) in worker.epoch(0):
            comm.compute(1e-4 * len(ids))
            ended_s = comm.now()
        worker.close()
        return ended_s

    done = SimWorld(5, faults=Faults(slow={2: 4.0})).run(paced, 4)
    *ends, handed = done.results
    assert handed[2] / handed[0] == pytest.approx(0.25, rel=0.1)
    assert max(ends) - min(ends) <= 1.1 * 4 * 1e-3, "at most one batch of the slow one apart"


def test_the_order_is_seeded_and_another_in_each_epoch():
    def handed(seed, shuffle=True, epochs=(0, 1)):
        server, rows = DataServer([torch.arange(20)], batch=6, seed=seed, shuffle=shuffle), []
        for number, epoch in enumerate([epoch for epoch in epochs for _ in range(5)], start=1):
            answer, again = server.handle(Mail(0, "next", {"q": number, "epoch": epoch}))
            assert not again
            rows += answer.tensors[0].tolist() if answer.kind == "batch" else ["end"]
        return rows

    one = handed(3)
    assert one == handed(3) != handed(4)
    assert one[20] == one[41] == "end"
    assert one[:20] != one[21:41]
    assert one[:20] == Partition(20, 1, 3).of(0, 0).tolist()
    assert handed(3, shuffle=False, epochs=(0,)) == [*range(20), "end"]
    assert run(SimWorld(5)).results == run(SimWorld(5)).results


@pytest.mark.parametrize("first", range(0, 60, 20))
def test_lost_doubled_and_overtaken_letters_change_nothing(first):
    struck = Counter()
    for seed in range(first, first + 20):
        chance = random.Random(seed)
        faults = Faults(seed=seed, drop=chance.choice([0, 0.2, 0.5]), duplicate=chance.choice([0, 0.3, 0.6]),
                        reorder_s=chance.choice([0, 3e-4]), delay_s=chance.choice([0, 1e-4]), slow={1: 3.0})
        ahead = chance.random() < 0.5
        done = run(SimWorld(5, faults=faults, trace=False), batch=16, pace=1e-6, retry_s=2e-4, ahead=ahead)
        check_exactly_once(done, 3, 2)
        assert done.ledger.total("vals") == 4 * WIDTH * ROWS * 2 + 2 * 3, "what is sent again is counted apart"
        struck["resent"] += sum(resent for *_, resent in done.results[:3])
        struck["retry"] += done.ledger.total("retry")
    assert struck["resent"] > 50
    assert struck["retry"] > 1000


def test_a_request_that_comes_again_gets_the_same_answer_and_an_old_one_none():
    server = DataServer([torch.arange(10)], batch=4, shuffle=False)
    first, again = server.handle(Mail(1, "next", {"q": 1, "epoch": 0}))
    assert (first.tensors[0].tolist(), again) == ([0, 1, 2, 3], False)
    repeated, again = server.handle(Mail(1, "next", {"q": 1, "epoch": 0}))
    assert repeated is first
    assert again
    other, _ = server.handle(Mail(0, "next", {"q": 1, "epoch": 0}))
    assert other.tensors[0].tolist() == [4, 5, 6, 7]
    server.handle(Mail(1, "next", {"q": 3, "epoch": 0}))
    assert server.handle(Mail(1, "next", {"q": 1, "epoch": 0})) is None
    assert server.batches == {0: 1, 1: 2}


@pytest.mark.parametrize("transport", ["shm", "tcp"])
def test_real_processes_are_fed_exactly_once(transport):
    with ProcessWorld(4, transport=transport) as world:
        for batch in (5, 200):
            check_exactly_once(run(world, 2, 2, batch), 2, 2)


def test_a_worker_that_comes_late_for_an_epoch_finds_its_end():
    server = DataServer([torch.arange(2)], batch=2)
    assert server.handle(Mail(0, "next", {"q": 1, "epoch": 0}))[0].kind == "batch"
    assert server.handle(Mail(0, "next", {"q": 2, "epoch": 0}))[0].kind == "end"
    assert server.handle(Mail(0, "next", {"q": 3, "epoch": 1}))[0].kind == "batch"
    assert server.handle(Mail(1, "next", {"q": 1, "epoch": 0}))[0].kind == "end"


def test_no_rows_at_all_are_handed_out_to_nobody():
    def nothing(comm):
        if comm.rank == 0:
            return serve_data(comm, DataServer([torch.empty(0, 4)], batch=3), [1])
        worker = DataWorker(comm, [0])
        got = list(worker.epoch(0))
        worker.close()
        return got

    assert SimWorld(2).run(nothing).results == [{1: 0}, []]


def leaves_early(comm):
    if comm.rank == 0:
        return serve_data(comm, DataServer([torch.arange(9)], batch=3), [1])
    worker = DataWorker(comm, [0])
    for _ in worker.epoch(0):
        break
    return worker.close()


@pytest.mark.parametrize(("call", "message"), [
    (lambda: DataServer([], batch=1), "tensors have no rows; at least one tensor"),
    (lambda: DataServer([torch.ones(2), torch.ones(3)], batch=1), "tensors have 2, 3 rows"),
    (lambda: DataServer([torch.ones(2)], batch=0), "batch=0; a whole number from 1 on"),
    (lambda: DataServer([torch.ones(2)], batch=1, ids=torch.arange(3)), r"ids has shape \(3,\); one number"),
    (lambda: DataWorker(None, []), "servers is empty"),
    (lambda: DataWorker(None, [1], retry_s=0), "retry_s=0; seconds above 0, or None"),
    (lambda: SimWorld(2).run(leaves_early), r"close\(\) in the middle of an epoch"),
    (lambda: DataServer([torch.ones(2)], batch=1).handle(Mail(3, "next", {"q": 1, "epoch": 1})),
     "worker 3 asks for epoch 1; of epoch 0, 2 rows are not handed out yet"),
    (lambda: compare_feeding(rows=0), "rows=0; a whole number from 1 on"),
    (lambda: compare_feeding(slow={4: 2.0}), "slow names 4; workers run from 0 to 3"),
])
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# ---- both ways side by side ----------------------------------------------------------------------------------------


def test_the_two_ways_are_compared_in_bytes_and_time():
    partitioned, served = compare_feeding(rows=1001, row_bytes=300, K=4, S=2, batch=10, epochs=3, row_s=1e-5)
    assert (partitioned.way, served.way) == ("partitioned", "servers")
    assert (partitioned.network_bytes, partitioned.stored_bytes) == (0, 4 * 1001 * 300)
    assert partitioned.rows_of_worker == (3 * 251,) * 4
    assert partitioned.seconds == pytest.approx(3 * 251 * 1e-5)
    assert served.stored_bytes == 1001 * 300
    assert sum(served.rows_of_worker) == 3 * 1001
    assert served.ledger.total("keys") == 3 * 1001 * (300 + 8), "rows of whole numbers count as keys, too"
    assert served.ledger.total("vals") == 2 * 4, "the servers' last words"
    assert served.network_bytes == served.ledger.total() == served.ledger.port(4)[0] + served.ledger.port(5)[0] + sum(
        served.ledger.port(worker)[0] for worker in range(4))
    assert served.busiest_port_bytes == max(served.ledger.port(server)[0] for server in (4, 5))


def test_a_slow_worker_holds_up_the_partition_and_hardly_the_servers():
    settings = {"rows": 4000, "row_bytes": 100, "K": 4, "batch": 10, "row_s": 1e-4}
    even, uneven = compare_feeding(**settings), compare_feeding(**settings, slow={1: 5.0})
    assert uneven[0].seconds == pytest.approx(5 * even[0].seconds)
    assert uneven[1].seconds < 1.3 * even[1].seconds * 4 / 3.2, "3 workers of speed 1 and one of 1/5"
    assert uneven[1].rows_of_worker[1] < 0.3 * uneven[1].rows_of_worker[0]


def test_asking_ahead_hides_the_way_of_a_batch():
    settings = {"rows": 2000, "row_bytes": 20_000, "K": 2, "batch": 10, "row_s": 1e-5}
    ahead, after = (compare_feeding(**settings, ahead=ahead)[1].seconds for ahead in (True, False))
    assert ahead < 0.9 * after


def test_a_port_that_is_too_slow_for_all_workers_sets_the_pace():
    settings = {"rows": 1000, "row_bytes": 10_000, "K": 4, "batch": 10, "row_s": 1e-5}
    seconds = [compare_feeding(**settings, link=Link(bandwidth_Bps=rate))[1].seconds for rate in (1e8, 2e8)]
    assert seconds == pytest.approx([0.1, 0.05], rel=0.05)


def test_at_end_is_that_of_the_partition():
    rows = {at_end: compare_feeding(rows=11, row_bytes=1, K=4, batch=2, at_end=at_end)[0].rows_of_worker
            for at_end in ("pad", "drop", "uneven")}
    assert rows == {"pad": (3,) * 4, "drop": (2,) * 4, "uneven": (3, 3, 3, 2)}
