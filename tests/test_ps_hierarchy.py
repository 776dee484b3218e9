"""Aggregators: the flat result bit for bit, uplink bytes divided by the workers of a rack, rounds, faults, refusals."""

import numpy as np
import pytest
import torch

from pslab.comm import Faults, Mail, ProcessWorld, Racks, SimWorld
from pslab.ps import ASP, BSP, SGD, SSP, AdaGrad, Integers, KVServer, KVWorker, TableConfig, serve
from pslab.ps.hierarchy import Aggregator, cluster_of_racks, serve_aggregator
from pslab.ps.hierarchy_rows import Shelf, Sums

DENSE = TableConfig("dense", 3, 11, rule=SGD(0.5), init=Integers(-9, 10, seed=1))
SPARSE = TableConfig("sparse", 2, 40, rule=AdaGrad(0.5), init=Integers(-9, 10, seed=2))
TABLES = [DENSE, SPARSE]
ROUNDS = 3


def grads(worker, step, rows, dim):
    """Whole numbers that differ by worker, step and place."""
    return torch.from_numpy(np.random.default_rng([worker, step]).integers(-8, 9, (rows, dim)).astype(np.float32))


def train(comm, kv, number, same_keys):
    """number[rank]: which worker this is. same_keys: all pull and push equal rows; else some of their own, too."""
    me, seen = number[comm.rank], []
    for step in range(ROUNDS):
        comm.compute(1e-5 * ((me * 7 + step) % 5))
        keys = np.arange(step, 40, 4) if same_keys else np.unique([*range(step, 40, 8), me * 3 + 1, me + 20])
        asked = [kv.pull(range(11), "dense"), kv.pull(keys, "sparse")]
        if not same_keys:
            asked += [kv.pull(range(2 + me, 9), "dense"), kv.pull(range(me, 30), "sparse")]
        seen += [kv.wait(timestamp).clone() for timestamp in asked]
        kv.push(range(11), grads(me, step, 11, 3), "dense")
        kv.push(keys, grads(me, step, len(keys), 2), "sparse")
        if not same_keys:
            seen.append(kv.wait(kv.pushpull(np.arange(me, 40, 5), grads(me + 5, step, len(range(me, 40, 5)), 2),
                                            "sparse")).clone())
            kv.push([30, me, 30], grads(me + 9, step, 3, 2), "sparse")       # unsorted, one twice
        kv.clock()
    return seen


def ends(server):
    return {table.name: np.array(server.rows(table.name)) for table in TABLES}


def flat(comm, racks, servers, number, same_keys):
    if comm.rank in servers:
        workers = [rank for rack in racks for rank in rack]
        server = KVServer(TABLES, servers.index(comm.rank), len(servers), workers, comm.rank)
        serve(comm, server)
        return ends(server)
    with KVWorker(comm, servers, TABLES) as kv:
        return train(comm, kv, number, same_keys)


def by_rack(comm, racks, servers, number, same_keys, retry_s=None):
    return cluster_of_racks(comm, train, TABLES, racks, servers, args=(number, same_keys), retry_s=retry_s, at_end=ends)


def ranks_of(g, racks, S, aggregators):
    """(ranks of each rack, of the servers, {rank of a worker: its number}); the servers have a rack of their own."""
    size = g + aggregators
    homes = [list(range(rack * size, (rack + 1) * size)) for rack in range(racks)]
    number = {rank: home * g + place for home, ranks in enumerate(homes)
              for place, rank in enumerate(ranks[aggregators:])}
    return homes, list(range(racks * size, racks * size + S)), number


def simulated(program, g, racks, S, same_keys, faults=None, **options):
    homes, servers, number = ranks_of(g, racks, S, program is by_rack)
    world = SimWorld(len(servers) + sum(map(len, homes)), racks=Racks([*homes, servers]), faults=faults)
    return world.run(lambda comm: program(comm, homes, servers, number, same_keys, **options)), number, servers


def check_equal(run, number, servers, flat_run, flat_number, flat_servers):
    for (rank, worker), flat_rank in zip(number.items(), flat_number, strict=True):
        for place, (a, b) in enumerate(zip(run.results[rank], flat_run.results[flat_rank], strict=True)):
            assert torch.equal(a, b), f"worker {worker}, pull {place}"
    for server, flat_server in zip(servers, flat_servers, strict=True):
        for name, rows in flat_run.results[flat_server].items():
            assert np.array_equal(run.results[server][name], rows), f"server {server}, table {name}"


@pytest.mark.parametrize(("g", "racks", "S"), [(2, 2, 1), (3, 2, 2), (1, 2, 2)])
def test_uplink_bytes_are_divided_exactly_by_the_workers_of_a_rack(g, racks, S):
    plain, ours = simulated(flat, g, racks, S, True), simulated(by_rack, g, racks, S, True)
    check_equal(*ours, *plain)
    for rack in range(racks):
        for kind in ("vals", "keys"):
            per_rack = plain[0].ledger.uplink(rack, kind)
            assert per_rack == tuple(g * n for n in ours[0].ledger.uplink(rack, kind)), (rack, kind)
        assert plain[0].ledger.uplink(rack, "vals")[0] > 0
        if g > 1:
            assert ours[0].ledger.uplink(rack, "header")[0] < plain[0].ledger.uplink(rack, "header")[0]
    aggregator = ours[0].results[0]
    assert aggregator["pushes"] == g * 2 * ROUNDS
    assert aggregator["pushes_forwarded"] == 2 * ROUNDS
    assert aggregator["rows_asked"] == g * aggregator["rows_fetched"]


@pytest.mark.parametrize(("g", "racks", "S"), [(2, 2, 2), (4, 1, 3)])
def test_the_flat_result_bit_for_bit_with_keys_of_ones_own(g, racks, S):
    plain, ours = simulated(flat, g, racks, S, False), simulated(by_rack, g, racks, S, False)
    check_equal(*ours, *plain)
    assert ours[0].ledger.uplink(0, "vals")[1] < plain[0].ledger.uplink(0, "vals")[1]


def test_lost_doubled_and_overtaken_letters_change_nothing():
    plain = simulated(flat, 2, 2, 1, False)
    for seed in range(3):
        faults = Faults(seed=seed, drop=0.15, duplicate=0.2, reorder_s=4e-5)
        ours = simulated(by_rack, 2, 2, 1, False, faults, retry_s=3e-4)
        check_equal(*ours, *plain)
    assert ours[0].ledger.total("retry") > 0


def test_real_processes():
    homes, servers, number = ranks_of(2, 1, 1, 1)
    with ProcessWorld(4) as world:
        run = world.run(by_rack, homes, servers, number, False)
    check_equal(run, number, servers, *simulated(flat, 2, 1, 1, False))


def leaver(comm, kv):
    """Worker 1 pushes in its last round and leaves without calling clock(); the others go on."""
    rows = []
    for _ in range(1 if comm.rank == 1 else 3):
        rows.append(kv.wait(kv.pull(range(11), "dense")).clone())
        kv.push(range(11), torch.full((11, 3), comm.rank + 1.0), "dense")
        if comm.rank != 1:
            kv.clock()
    return rows


def test_a_worker_that_leaves_early_counts_and_holds_nobody_up():
    run = SimWorld(5).run(lambda comm: cluster_of_racks(comm, leaver, TABLES, [[0, 1, 2, 3]], [4], at_end=ends))
    first = torch.from_numpy(DENSE.initial_rows())
    steps = [0, 2 + 3 + 4, 2 + 3 + 4 + 3 + 4]
    for worker in (2, 3):
        for seen, step in zip(run.results[worker], steps, strict=True):
            assert torch.equal(seen, first - 0.5 * step)
    assert np.array_equal(run.results[4]["dense"], first.numpy() - 0.5 * (2 + 3 + 4 + 2 * (3 + 4)))


def setter(comm, kv):
    if comm.rank == 1:
        assert kv.wait(kv.pull([4], "sparse")).tolist() == SPARSE.initial_rows()[[4]].tolist()
        kv.init("sparse", [4, 7], torch.tensor([[9., 9], [3, 4]]))
        kv.wait(kv.set([4], torch.tensor([[1., 2]]), "sparse"))
    kv.clock()
    return kv.wait(kv.pull([4, 5, 7], "sparse"))


def test_init_and_set_go_through_and_rows_fetched_before_are_forgotten():
    run = SimWorld(4).run(lambda comm: cluster_of_racks(comm, setter, TABLES, [[0, 1, 2]], [3]))
    for worker in (1, 2):
        rows = run.results[worker]
        assert rows[[0, 2]].tolist() == [[1, 2], [3, 4]]
        assert rows[1].tolist() == SPARSE.initial_rows()[5].tolist()

    class Upstream:
        def __init__(self):
            self.asked, self.sets = [], []

        def pull(self, keys, table):
            self.asked.append(keys)
            return len(self.asked)

        def wait(self, timestamp):
            return np.full((len(self.asked[timestamp - 1]), 2), float(timestamp), np.float32)

        def init(self, table, keys, vals):
            self.sets.append(list(keys))

    upstream = Upstream()
    aggregator = Aggregator(TABLES, [1, 2], upstream, 0)

    def pull(src, number):
        (_, letter), = aggregator.handle(Mail(src, "pull", {"t": 1, "q": number, "c": 0, "r": [3, 2]}), 0.0)
        return letter.tensors[0][0, 0]

    assert (pull(1, 1), pull(2, 1), len(upstream.asked)) == (1.0, 1.0, 1)
    letter = Mail(1, "init", {"t": 1, "q": 1, "n": 0, "r": [3, 1]}, [torch.zeros(1, 2)])
    for _ in range(2):                               # the second is an echo: acknowledged, not done again
        assert aggregator.handle(letter, 0.0)[0][1].kind == "ack"
    assert upstream.sets == [[3]]
    assert (pull(1, 2), len(upstream.asked)) == (2.0, 2)


# ---- the parts ------------------------------------------------------------------------------------------------------

def test_sums_are_in_worker_order_and_keep_ranges():
    sums = Sums()
    big = np.float32(2 ** 24)
    for worker, value in ((2, 1.0), (0, big), (1, -big)):      # (big - big) + 1 is 1; in order of arrival it is not
        sums.add(worker, 1, range(2, 4), np.full((2, 1), value, np.float32))
    keys, total = sums.take()
    assert keys == range(2, 4)
    assert total.tolist() == [[1], [1]]
    assert not sums
    sums.add(0, 1, range(0, 2), np.ones((2, 1), np.float32))
    sums.add(1, 1, range(1, 4), np.ones((3, 1), np.float32))
    keys, total = sums.take()
    assert (keys, total.ravel().tolist()) == (range(0, 4), [1, 2, 1, 1])
    sums.add(0, 1, np.array([5, 9]), np.ones((2, 1), np.float32))
    sums.add(1, 1, range(5, 7), np.ones((2, 1), np.float32))
    keys, total = sums.take()
    assert (keys.tolist(), total.ravel().tolist()) == ([5, 6, 9], [2, 1, 1])


def test_the_shelf_fetches_each_row_once():
    shelf, asked = Shelf(1), []

    def fetch(keys):
        asked.append(list(keys))
        return np.array([[float(key)] for key in keys], np.float32)

    for keys, new in ((np.array([2, 5]), [2, 5]), (np.array([1, 5, 9]), [1, 9]), (range(1, 4), [3]), (range(2, 3), []),
                      (np.array([9]), [])):
        rows, fetched = shelf.take(keys, fetch)
        assert rows.ravel().tolist() == [float(key) for key in keys]
        assert fetched == len(new)
        assert (asked.pop() if new else []) == new
        assert not asked
    shelf.clear()
    assert shelf.take(range(4), fetch)[1] == 4
    assert shelf.take(range(1, 3), fetch)[0].ravel().tolist() == [1, 2]


@pytest.mark.parametrize(("call", "message"), [
    (lambda: Aggregator([TableConfig("t", 1, 4, consistency=ASP())], [1], None, 0), "consistency=ASP.*BSP"),
    (lambda: Aggregator([TableConfig("t", 1, 4, consistency=SSP(2))], [1], None, 0), "consistency=SSP.*BSP"),
    (lambda: Aggregator([TableConfig("t", 1, 4, consistency=BSP(backup=1))], [1, 2], None, 0), "without backup"),
    (lambda: Aggregator([TableConfig("t", 1, 4, dtype="bfloat16")], [1], None, 0), "dtype='bfloat16'"),
    (lambda: Aggregator(TABLES, [], None, 0), r"workers=\[\]"),
    (lambda: Aggregator(TABLES, [1, 1], None, 0), r"workers=\[1, 1\]"),
    (lambda: SimWorld(3).run(lambda comm: cluster_of_racks(comm, train, TABLES, [[0, 1]], [1])), r"racks=\[\[0, 1\]\]"),
    (lambda: SimWorld(3).run(lambda comm: cluster_of_racks(comm, train, TABLES, [[0], [1]], [2])), "and a worker are"),
])
def test_refusals(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize(("letter", "why"), [
    (Mail(5, "pull", {"t": 0, "q": 1, "c": 0, "r": [0, 1]}), "rank 5 is no worker of this rack"),
    (Mail(1, "dance", {}), "an aggregator takes push, pull, pushpull, init, set, clock, bye"),
    (Mail(1, "pull", {"t": 2, "q": 1, "c": 0, "r": [0, 1]}), "table number 2; this aggregator has tables 0..1"),
    (Mail(1, "pull", {"t": 0, "q": 1, "c": 1, "r": [0, 1]}), "pull at clock 1 of worker 1; the rack's round is 0"),
    (Mail(1, "pull", {"t": 0, "q": 1, "c": 0}, [torch.tensor([1]), torch.tensor([1])]), "no worker with a cache"),
    (Mail(1, "push", {"t": 0, "q": 1, "n": 0, "c": 1, "r": [0, 1]}, [torch.ones(1, 3)]), "push stamped 1"),
    (Mail(1, "push", {"t": 0, "q": 1, "n": 0, "c": 0, "r": [0, 2]}, [torch.ones(1, 3)]), "float32[2, 3] is needed"),
])
def test_letters_that_are_refused(letter, why):
    aggregator = Aggregator(TABLES, [1, 2], None, 0)
    for _ in range(2):                                                  # and again, when it is sent again
        (dst, answer), = aggregator.handle(letter, 0.0)
        assert (dst, answer.kind) == (letter.src, "error")
        assert why in answer.meta["w"]


def test_an_aggregator_by_itself_serves_until_its_workers_left():
    def program(comm):
        if comm.rank == 0:
            return serve_aggregator(comm, [DENSE], [1, 2], [3])
        if comm.rank == 3:
            return serve(comm, KVServer([DENSE], 0, 1, [0], 3))
        with KVWorker(comm, [0], [DENSE]) as kv:
            return kv.wait(kv.pull(range(2, 5), "dense")).tolist()
    run = SimWorld(4).run(program)
    assert run.results[1] == run.results[2] == DENSE.initial_rows()[2:5].tolist()
    assert run.results[0]["rows_fetched"] == 3
    assert run.results[3]["tables"]["dense"]["pulls"] == 1


def test_an_echo_of_a_pull_of_an_earlier_round_is_not_answered():
    class Upstream:
        clock_now = 0

        def clock(self):
            self.clock_now += 1
            return self.clock_now

        def pull(self, keys, table):
            return 1

        def wait(self, timestamp):
            return np.zeros((1, 3), np.float32)

    aggregator = Aggregator(TABLES, [1], Upstream(), 0)
    pull = Mail(1, "pull", {"t": 0, "q": 1, "c": 0, "r": [0, 1]})
    for _ in range(2):                              # within its round it may be asked again
        assert [letter.kind for _, letter in aggregator.handle(pull, 0.0)] == ["rows"]
    assert [letter.kind for _, letter in aggregator.handle(Mail(1, "clock", {"c": 1}), 0.0)] == ["min"]
    assert aggregator.handle(pull, 0.0) == []
