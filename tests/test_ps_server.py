"""KVServer as a pure state machine: letters in, letters out, no world."""

import copy
import re

import numpy as np
import pytest
import torch

from pslab.comm import Mail
from pslab.ps import SGD, AdaGrad, Integers, KVServer, TableConfig

TABLES = [TableConfig("user", 3, 10, rule=SGD(1.0), init=Integers(-9, 10, seed=1)),
          TableConfig("item", 2, 7, rule=AdaGrad(0.5), init=Integers(-9, 10, seed=1))]


def grads(keys, dim, worker):
    """Distinct whole numbers for every (worker, key, column)."""
    return torch.tensor([[100 * worker + 10 * key + column for column in range(dim)] for key in keys],
                        dtype=torch.float32)


class Wire:
    """One server with two workers; sends letters and keeps what came back."""

    def __init__(self, tables=TABLES, index=0, num_servers=1, workers=(0, 1)):
        self.server = KVServer(tables, index, num_servers, workers)
        self.numbers = {}

    def send(self, src, kind, tensors=(), **meta):
        return self.server.handle(Mail(src, kind, meta, list(tensors)), 0.0)

    def number(self, src, kind):
        self.numbers[src, kind] = self.numbers.get((src, kind), 0) + 1
        return self.numbers[src, kind]

    def push(self, src, keys, clock, table=0, vals=None, kind="push"):
        dim = TABLES[table].dim
        where, tensors = ({"r": [keys.start, len(keys)]}, []) if isinstance(keys, range) else ({}, [torch.tensor(keys)])
        tensors.append(grads(keys, dim, src + 1) if vals is None else vals)
        q = self.number(src, "write")
        answers = self.send(src, kind, tensors, t=table, q=q, n=0, c=clock, **where)
        assert [(dst, mail.kind, mail.meta) for dst, mail in answers] == [(src, "ack", {"q": q})]

    def pull(self, src, keys, clock, table=0):
        q = self.number(src, "pull")
        if isinstance(keys, range):
            return self.send(src, "pull", t=table, q=q, c=clock, r=[keys.start, len(keys)])
        return self.send(src, "pull", [torch.tensor(keys)], t=table, q=q, c=clock)


def rows_in(answers):
    """Copies of the rows in a list of answers, by receiver."""
    return [(dst, np.array(mail.tensors[0])) for dst, mail in answers if mail.kind == "rows"]


def test_pull_gives_rows_in_the_order_asked_for():
    wire, first = Wire(), TABLES[0].initial_rows()
    [(dst, mail)] = wire.pull(1, [7, 2, 7, 0], 0)
    assert (dst, mail.kind, mail.meta, mail.src) == (1, "rows", {"q": 1}, 2)
    assert np.array_equal(mail.tensors[0], first[[7, 2, 7, 0]])
    assert np.array_equal(rows_in(wire.pull(0, range(3, 8), 0))[0][1], first[3:8])
    assert np.array_equal(rows_in(wire.pull(0, [4], 0, table=1))[0][1], TABLES[1].initial_rows()[[4]])


def test_a_round_closes_when_all_clocks_passed_it_and_not_before():
    wire, rows = Wire(), TABLES[0].initial_rows()
    wire.push(0, [1, 4], 0)
    wire.push(1, [4, 9], 0)
    assert np.array_equal(wire.server.rows("user"), rows)           # recorded, not applied
    assert wire.send(0, "clock", c=1) == []
    assert np.array_equal(wire.server.rows("user"), rows)
    answers = wire.send(1, "clock", c=1)
    assert [(dst, mail.kind, mail.meta) for dst, mail in answers] == [(0, "min", {"c": 1}), (1, "min", {"c": 1})]
    rows[[1, 4]] -= grads([1, 4], 3, 1).numpy()
    rows[[4, 9]] -= grads([4, 9], 3, 2).numpy()
    assert np.array_equal(wire.server.rows("user"), rows)
    assert wire.server.stats()["tables"]["user"]["steps"] == 1


def test_a_worker_that_pushes_twice_closes_nothing():
    wire, rows = Wire(), TABLES[0].initial_rows()
    for _ in range(5):
        wire.push(0, [1, 4], 0)
        assert wire.send(0, "clock", c=1) == [] if wire.numbers[0, "write"] == 5 else True
    assert wire.server.min_clock == 0
    assert np.array_equal(wire.server.rows("user"), rows)
    wire.send(1, "clock", c=1)                                       # pushed nothing, and holds nobody up
    rows[[1, 4]] -= 5 * grads([1, 4], 3, 1).numpy()
    assert np.array_equal(wire.server.rows("user"), rows)


def test_a_worker_ahead_leaks_nothing_of_its_next_round():
    """Another server let worker 0 go on to clock 1; here worker 1's clock has not arrived yet."""
    wire, first = Wire(), TABLES[0].initial_rows()
    wire.push(0, [2], 0)
    wire.push(1, [2], 0)
    wire.send(0, "clock", c=1)
    wire.push(0, [2, 3], 1)
    assert wire.pull(0, [2, 3], 1) == []                             # it must see round 0, which is still open
    assert np.array_equal(rows_in(wire.pull(1, [2, 3], 0))[0][1], first[[2, 3]])
    answers = wire.send(1, "clock", c=1)
    after = first.copy()
    after[2] -= (grads([2], 3, 1) + grads([2], 3, 2))[0].numpy()
    [(dst, rows)] = rows_in(answers)
    assert dst == 0
    assert np.array_equal(rows, after[[2, 3]])
    assert np.array_equal(rows_in(wire.pull(1, range(2, 4), 1))[0][1], after[2:4])
    wire.send(0, "clock", c=2)
    wire.send(1, "clock", c=2)
    after[[2, 3]] -= grads([2, 3], 3, 1).numpy()
    assert np.array_equal(wire.server.rows("user"), after)


@pytest.mark.parametrize("keys", [[2, 3], range(2, 4)], ids=["keys", "range"])
def test_goodbye_may_close_several_rounds_and_pulls_still_see_theirs(keys):
    """Worker 1 leaves at clock 0 while worker 0 has pulls of clocks 1 and 2 and pushes of clocks 0, 1 and 2 here."""
    wire, rows, seen = Wire(), TABLES[0].initial_rows(), []
    for clock in range(3):
        if clock:
            assert wire.pull(0, keys, clock) == []
        wire.push(0, [2, 3], clock)
        if clock < 2:
            wire.send(0, "clock", c=clock + 1)
            rows[[2, 3]] -= grads([2, 3], 3, 1).numpy()
            seen.append(rows[[2, 3]].copy())
    wire.push(1, [5], 0)
    answers = wire.send(1, "bye")
    rows[5] -= grads([5], 3, 2)[0].numpy()
    assert [(dst, mail.kind) for dst, mail in answers] == [(0, "rows"), (0, "rows"), (0, "min"), (1, "bye")]
    assert [mail.meta for _, mail in answers][2:] == [{"c": 2}, {}]
    assert all(np.array_equal(got, want) for (_, got), want in zip(rows_in(answers), seen))
    assert np.array_equal(wire.server.rows("user"), rows)
    assert not wire.server.done
    assert [(dst, mail.kind) for dst, mail in wire.send(0, "bye")] == [(0, "bye")]
    rows[[2, 3]] -= grads([2, 3], 3, 1).numpy()                      # the last round closes with the last worker
    assert np.array_equal(wire.server.rows("user"), rows)
    assert wire.server.done


def test_duplicate_keys_and_several_pushes_are_one_step():
    """Two steps of AdaGrad would give another result than one step with the sum."""
    wire, item = Wire(), TABLES[1].initial_rows()
    wire.push(0, [6, 1, 6], 0, table=1)
    wire.push(0, [1], 0, table=1)
    wire.push(1, range(0, 7), 0, table=1)
    total = torch.zeros(7, 2)
    for worker, keys in ((1, [6, 1, 6]), (1, [1]), (2, range(7))):
        total.index_add_(0, torch.tensor(list(keys)), grads(keys, 2, worker))
    parameter = torch.nn.Parameter(torch.from_numpy(item))
    parameter.grad = total
    torch.optim.Adagrad([parameter], lr=0.5).step()
    for worker in (0, 1):
        wire.send(worker, "clock", c=1)
    np.testing.assert_allclose(wire.server.rows("item"), parameter.detach().numpy(), atol=1e-6)
    assert wire.server.stats()["tables"]["item"]["steps"] == 1


@pytest.mark.parametrize("form", ["keys", "ranges", "range of 0", "range of 1"])
def test_parts_are_joined_in_rank_order_whoever_comes_first(form):
    """Float sums depend on order: 1e8 - 1e8 + 1 is not 1 + 1e8 - 1e8."""
    parts = {0: [[1e8] * 3], 1: [[-1e8] * 3], 2: [[1.0] * 3]}
    results = []
    for order in ((0, 1, 2), (2, 1, 0), (1, 2, 0)):
        wire = Wire(workers=(0, 1, 2))
        for worker in order:
            by_range = form in ("ranges", f"range of {worker}")
            keys = range(4, 5) if by_range else [4]
            wire.push(worker, keys, 0, vals=torch.tensor(parts[worker]))
        for worker in order:
            wire.send(worker, "clock", c=1)
        results.append(wire.server.rows("user")[4].copy())
    expected = TABLES[0].initial_rows([4])[0] - 1
    assert all(np.array_equal(row, expected) for row in results), results


@pytest.mark.parametrize("ranges", [[range(1, 9)] * 3, [range(1, 5), range(4, 8), range(0, 4)]], ids=["equal", "other"])
def test_ranges_of_three_workers_are_summed(ranges):
    wire, rows = Wire(workers=(0, 1, 2)), TABLES[0].initial_rows()
    for worker in (2, 0, 1):
        keys = ranges[worker]
        wire.push(worker, keys, 0)
        rows[keys.start:keys.stop] -= grads(keys, 3, worker + 1).numpy()
    for worker in range(3):
        wire.send(worker, "clock", c=1)
    assert np.array_equal(wire.server.rows("user"), rows)


def test_an_exact_repeat_is_acknowledged_and_ignored():
    wire, rows = Wire(), TABLES[0].initial_rows()
    letter = ([torch.tensor([3])], {"t": 0, "n": 0, "c": 0})
    for q in (2, 1, 2, 1, 1):                                        # reordered, too
        answers = wire.send(0, "push", [*letter[0], grads([q], 3, 1)], q=q, **letter[1])
        assert [(mail.kind, mail.meta) for _, mail in answers] == [("ack", {"q": q})]
    wire.send(1, "push", [*letter[0], grads([4], 3, 2)], q=1, **letter[1])      # another worker's number 1
    for worker in (0, 1):
        wire.send(worker, "clock", c=1)
    late = wire.send(0, "push", [*letter[0], grads([2], 3, 1)], q=2, **letter[1])
    assert [mail.kind for _, mail in late] == ["ack"]                # its round is closed: repeated all the same
    rows[3] -= (grads([1], 3, 1) + grads([2], 3, 1) + grads([4], 3, 2))[0].numpy()
    for worker in (0, 1):
        wire.send(worker, "clock", c=2)
    assert np.array_equal(wire.server.rows("user"), rows)
    assert wire.server.stats()["repeats"] == 4
    assert wire.server.stats()["tables"]["user"]["pushes"] == 3


def test_a_worker_that_started_again_counts_from_one_and_its_former_life_is_refused():
    wire = Wire()
    send = lambda n, q: wire.send(0, "push", [torch.tensor([3]), grads([3], 3, 1)], t=0, q=q, n=n, c=0)[0][1]  # noqa: E731
    assert [send(0, 1).kind, send(0, 2).kind, send(1, 1).kind, send(1, 1).kind] == ["ack"] * 4
    assert send(0, 3).kind == "error"
    assert wire.server.stats()["tables"]["user"]["pushes"] == 3


def test_set_overwrites_rows_and_their_state_at_once():
    wire = Wire()
    wire.push(0, [2], 0, table=1)
    wire.send(0, "clock", c=1)
    wire.send(1, "clock", c=1)
    assert wire.server.shards[1].state[0, 2].all()
    wire.push(1, [5, 2], 1, table=1, kind="set", vals=torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
    assert wire.server.rows("item")[[2, 5]].tolist() == [[3, 4], [1, 2]]
    assert not wire.server.shards[1].state[0, [2, 5]].any()
    wire.push(1, range(0, 3), 1, table=1, kind="set", vals=torch.ones(3, 2))
    assert wire.server.rows("item")[:3].tolist() == [[1, 1], [1, 1], [1, 1]]


def test_of_inits_the_first_wins_and_neither_steps_nor_sets_are_undone():
    wire, first = Wire(), TABLES[1].initial_rows()
    wire.push(0, [2], 0, table=1)
    wire.push(1, [4], 0, table=1, kind="set", vals=torch.full((1, 2), 40.0))
    wire.push(0, [5, 1], 0, table=1, kind="init", vals=torch.tensor([[5.0, 5.0], [1.0, 1.0]]))
    wire.push(1, range(0, 6), 0, table=1, kind="init", vals=torch.full((6, 2), 9.0))
    assert wire.server.rows("item")[:, 0].tolist() == [9, 1, 9, 9, 40, 5, first[6, 0]]     # 2: not a step yet
    for worker in (0, 1):
        wire.send(worker, "clock", c=1)
    stepped = wire.server.rows("item")[2].tolist()
    assert stepped != [9, 9]
    wire.push(1, [2, 6], 1, table=1, kind="init", vals=torch.full((2, 2), 7.0))
    assert wire.server.rows("item")[[2, 6]].tolist() == [stepped, [7, 7]]
    assert wire.server.stats()["tables"]["item"]["inits"] == 3
    assert wire.server.stats()["tables"]["item"]["sets"] == 1


def test_each_server_holds_and_answers_only_its_shard():
    for index, (lo, hi) in enumerate(((0, 4), (4, 7), (7, 10))):
        wire = Wire(index=index, num_servers=3)
        assert wire.server.bounds("user") == (lo, hi)
        assert np.array_equal(wire.server.rows("user"), TABLES[0].initial_rows(range(lo, hi)))
        assert np.array_equal(rows_in(wire.pull(0, [hi - 1, lo], 0))[0][1], TABLES[0].initial_rows([hi - 1, lo]))
        wire.push(1, [lo], 0)
        wire.send(0, "clock", c=1)
        reports = [dst for dst, mail in wire.send(1, "clock", c=1) if mail.kind == "min"]
        assert reports == [[0], [1], []][index]                      # every worker hears it from one server


def test_answers_of_one_call_do_not_share_memory():
    """Pulls that waited together are answered in one call; gathers of both must survive each other."""
    wire = Wire()
    wire.pull(0, list(range(10)) * 10, 0)                            # the server has memory for all of them
    wire.send(0, "clock", c=1)
    asked = [[1, 2], [9], [3, 3, 3, 3, 3, 3]]
    for keys in asked:
        wire.pull(0, keys, 1)
    answers = wire.send(1, "clock", c=1)
    for (_, mail), keys in zip(answers, asked):
        assert np.array_equal(mail.tensors[0], TABLES[0].initial_rows(keys))


def test_read_only_gradients_are_copied_before_a_step_uses_them_as_scratch():
    wire, vals = Wire(workers=(0,)), np.ones((1, 3), np.float32)
    vals.flags.writeable = False
    wire.push(0, [4], 0, vals=vals)
    wire.send(0, "clock", c=1)
    assert np.array_equal(wire.server.rows("user")[4], TABLES[0].initial_rows([4])[0] - 1)


def test_memory_for_answers_is_reused():
    wire, asked = Wire(), list(range(10)) * 10
    homes = {wire.pull(0, asked, 0)[0][1].tensors[0].ctypes.data for _ in range(50)}
    assert len(homes) == 1


def test_stats_count_payload_by_table():
    wire = Wire()
    wire.push(0, [1, 2, 1], 0)
    wire.push(1, range(0, 5), 0, table=1)
    wire.pull(0, [1, 2], 0)
    wire.pull(0, range(0, 4), 0, table=1)
    tables = wire.server.stats()["tables"]
    assert tables["user"] == {"inits": 0, "sets": 0, "pulls": 1, "pushes": 1, "steps": 0,
                              "keys_in_bytes": 3 * 8 + 2 * 8, "keys_out_bytes": 0,
                              "vals_in_bytes": 3 * 3 * 4, "vals_out_bytes": 2 * 3 * 4}
    assert tables["item"] == {"inits": 0, "sets": 0, "pulls": 1, "pushes": 1, "steps": 0,
                              "keys_in_bytes": 0, "keys_out_bytes": 0,
                              "vals_in_bytes": 5 * 2 * 4, "vals_out_bytes": 4 * 2 * 4}


# ---- refusals ---------------------------------------------------------------------------------------------------

KEYS, VALS = torch.tensor([4, 5]), torch.ones(2, 3)
GOOD = {"t": 0, "q": 1, "n": 0, "c": 0}
REFUSED = {
    "unknown kind": (0, "sum", {}, [], "kind='sum'"),
    "no worker": (5, "push", GOOD, [KEYS, VALS], "rank 5 is no worker"),
    "no table": (0, "push", {**GOOD, "t": 2}, [KEYS, VALS], r"tables 0\.\.1"),
    "table is text": (0, "push", {**GOOD, "t": "user"}, [KEYS, VALS], "t='user'"),
    "q missing": (0, "push", {"t": 0, "n": 0, "c": 0}, [KEYS, VALS], "q=None"),
    "q zero": (0, "pull", {**GOOD, "q": 0}, [KEYS], "q=0"),
    "q far ahead": (0, "push", {**GOOD, "q": 5000}, [KEYS, VALS], "q=5000"),
    "clock missing": (0, "push", {"t": 0, "q": 1, "n": 0}, [KEYS, VALS], "c=None"),
    "clock negative": (0, "clock", {"c": -1}, [], "c=-1"),
    "clock is true": (0, "clock", {"c": True}, [], "c=True"),
    "clock huge": (0, "clock", {"c": 2**63}, [], "c="),
    "incarnation": (0, "push", {**GOOD, "n": 1.5}, [KEYS, VALS], "n=1.5"),
    "of a closed round": (1, "push", {**GOOD, "c": 0}, [KEYS, VALS], "stamped 0"),
    "after goodbye": (2, "pull", GOOD, [KEYS], "after its goodbye"),
    "clock after goodbye": (2, "clock", {"c": 9}, [], "after its goodbye"),
    "no tensors": (0, "push", GOOD, [], "keys, vals"),
    "pull with vals": (0, "pull", GOOD, [KEYS, VALS], "2 tensors"),
    "range with keys": (0, "push", {**GOOD, "r": [4, 2]}, [KEYS, VALS], "range"),
    "other server's key": (0, "push", GOOD, [torch.tensor([4, 3]), VALS], "key 3; this server owns 4..6"),
    "key too high": (0, "pull", GOOD, [torch.tensor([4, 7])], "key 7"),
    "keys int32": (0, "pull", GOOD, [KEYS.int()], "int32"),
    "keys float": (0, "pull", GOOD, [KEYS.float()], "float32"),
    "keys empty": (0, "pull", GOOD, [KEYS[:0]], "n >= 1"),
    "keys square": (0, "pull", GOOD, [KEYS[None]], r"\[1, 2\]"),
    "vals narrow": (0, "push", GOOD, [KEYS, VALS[:, :2]], r"float32\[2, 3\] is needed"),
    "vals short": (0, "push", GOOD, [KEYS, VALS[:1]], r"\[1, 3\]"),
    "vals double": (0, "push", GOOD, [KEYS, VALS.double()], "float64"),
    "vals bfloat16": (0, "push", GOOD, [KEYS, VALS.bfloat16()], "bfloat16"),
    "range outside": (0, "pull", {**GOOD, "r": [4, 4]}, [], r"keys 4\.\.7"),
    "range empty": (0, "pull", {**GOOD, "r": [4, 0]}, [], "keys"),
    "range is text": (0, "pull", {**GOOD, "r": "ab"}, [], "r='ab'"),
    "range of floats": (0, "pull", {**GOOD, "r": [4.0, 1]}, [], "r="),
    "pushpull after text": (0, "pushpull", {**GOOD, "w": "x"}, [KEYS, VALS], "w='x'"),
    "init twice": (0, "init", GOOD, [torch.tensor([4, 4]), VALS], "twice"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_refused_letter_changes_nothing(case):
    src, kind, meta, tensors, words = REFUSED[case]
    wire = Wire(index=1, num_servers=3, workers=(0, 1, 2))           # owns user 4..6
    wire.send(1, "clock", c=1)
    wire.send(2, "bye")
    before = copy.deepcopy(vars(wire.server))
    [(dst, mail)] = wire.send(src, kind, tensors, **meta)
    assert (dst, mail.kind, mail.meta["k"]) == (src, "error", kind)
    assert mail.meta["q"] == (meta["q"] if type(meta.get("q")) is int else 0)
    assert re.search(words, mail.meta["w"]), mail.meta["w"]
    assert wire.server.stats()["refused"] == 1
    assert wire.server.stats()["refused_bytes"] == sum(tensor.nbytes for tensor in tensors)
    after = vars(wire.server)
    for name in ("_clocks", "_senders"):
        assert repr_of(before[name]) == repr_of(after[name]), name
    assert before["_rounds"].parked == after["_rounds"].parked
    for old, new in zip(before["shards"], after["shards"]):
        assert np.array_equal(old.rows, new.rows)
        assert np.array_equal(old.state, new.state)
        assert old.rounds == new.rounds
        assert old.counts == new.counts


def repr_of(state):
    """What an object holds, down to plain values."""
    if isinstance(state, dict):
        return {key: repr_of(value) for key, value in state.items()}
    return repr_of(vars(state)) if hasattr(state, "__dict__") else state


@pytest.mark.parametrize(("args", "words"), [
    ((TABLES, 2, 2, [0]), "index=2"), ((TABLES, 0, 1, []), r"workers=\[\]"),
    ((TABLES, 0, 1, [1, 1]), r"workers=\[1, 1\]"),
    (([], 0, 1, [0]), "at least one"), (([TABLES[0], TABLES[0]], 0, 1, [0]), "'user' is there twice"),
    ((["user"], 0, 1, [0]), "TableConfig")])
def test_servers_refuse(args, words):
    with pytest.raises(ValueError, match=words):
        KVServer(*args)


def test_time_alone_changes_nothing():
    server = Wire().server
    assert server.handle(None, 5.0) == []
    assert server.next_deadline_s() is None
    with pytest.raises(ValueError, match=r"table='x'; this server has \['user', 'item'\]"):
        server.rows("x")
