"""Retransmission: how often, how long, how much is remembered, and when it ends."""

import pickle
import random

import numpy as np
import pytest
import torch
from ps_history import Losing
from ps_jobs import TABLES, train

from pslab.comm import Link, Mail, ProcessWorld, SimWorld
from pslab.ps import ASP, SGD, KVServer, KVWorker, TableConfig, serve

RETRY = {"retry_s": 60e-6}



def test_memory_of_a_sender_is_bounded_after_10_000_pushes():
    """Numbers come shuffled within 200 places, some twice; what the server remembers never exceeds that."""
    table = TableConfig("t", 1, 4, rule=SGD(1.0), consistency=ASP())
    server, chance = KVServer([table], 0, 1, [0]), random.Random(1)
    numbers, most = list(range(1, 10_001)), 0
    numbers.sort(key=lambda number: number + chance.randrange(200))
    before = len(pickle.dumps(server._senders.writes))
    for number in numbers:
        for _ in range(1 + (chance.random() < 0.2)):
            [(_, ack)] = server.handle(Mail(0, "push", {"t": 0, "q": number, "n": 0, "c": 0, "r": [2, 1]},
                                            [np.ones((1, 1), np.float32)]), 0.0)
            assert (ack.kind, ack.meta) == ("ack", {"q": number})
        most = max(most, len(server._senders.writes[0].above))
    assert server.rows("t")[2] == -10_000
    assert server.stats()["repeats"] > 1500
    assert 0 < most < 400
    assert (server._senders.writes[0].mark, server._senders.writes[0].above) == (10_000, set())
    assert len(pickle.dumps(server._senders.writes)) < before + 16


def test_a_worker_does_not_run_past_the_servers_window():
    """One push is lost again and again while 1,500 others are answered; the worker waits at 1,024 past it."""
    table = TableConfig("t", 1, 4, rule=SGD(1.0), consistency=ASP())

    def program(comm):
        if comm.rank:
            server = KVServer([table], 0, 1, [0])
            return serve(comm, server)["refused"], server.rows("t")[0].item()
        losing = Losing(comm, first=True)
        real, lost = comm.post, []

        def post(dst, kind, meta=None, tensors=(), **settings):
            if kind == "push" and meta["q"] == 1 and len(lost) < 3:
                return lost.append(comm.now())
            return real(dst, kind, meta, tensors, **settings)
        losing.post = post
        furthest = 0
        with KVWorker(losing, [1], [table], retry_s=1e-3) as kv:
            for number in range(1500):
                kv.push([0], torch.ones(1, 1), "t")
                if len(lost) < 3:
                    furthest = number + 1
        return furthest
    assert SimWorld(2, engine="greenlets", trace=False).run(program).results == [1025, (0, -1500.0)]


def test_a_server_that_is_gone_is_named():
    def program(comm):
        if comm.rank == 0:
            with KVWorker(comm, [1], [TableConfig("t", 1, 2)], retry_s=1e-3) as kv:
                kv.wait(kv.pull([0], "t"))
    with pytest.raises(TimeoutError, match=r"the server of rank 1 has not .* its pull letter was sent 101 times"):
        SimWorld(2).run(program)


def test_back_off_doubles_up_to_16():
    def program(comm):
        if comm.rank:
            return [round(when, 9) for when in moments(comm)]
        kv = KVWorker(comm, [1], [TableConfig("t", 1, 2)], retry_s=1.0)
        with pytest.raises(TimeoutError, match="waited 100"):
            kv.wait(kv.push([0], torch.ones(1, 1), "t"), timeout_s=100.0)

    def moments(comm):
        while comm.poll(200.0) is not None:
            yield comm.now()
    free = Link(latency_s=0.0, bandwidth_Bps=float("inf"))
    assert SimWorld(2, link=free).run(program).results[1] == [0, 1, 3, 7, 15, 31, 47, 63, 79, 95]


def test_a_slow_worker_is_waited_for_however_long():
    """A server that answers is not silent: many more tries than one that does not gets."""
    def slow(comm, kv):
        comm.compute(5.0 if comm.rank else 0.0)
        kv.clock()
        return kv.resent
    table = TableConfig("t", 1, 2)

    def program(comm):
        if comm.rank == 2:
            return serve(comm, KVServer([table], 0, 1, [0, 1]))
        with KVWorker(comm, [2], [table], retry_s=1e-3) as kv:
            return slow(comm, kv)
    resent = SimWorld(3, trace=False).run(program).results[0]
    assert 5.0 / 16e-3 < resent < 330


def test_a_server_stays_for_a_goodbye_whose_answer_was_lost_and_says_when_it_ends():
    server = KVServer([TableConfig("t", 1, 2)], 0, 1, [0])
    assert server.next_deadline_s() is None
    assert [mail.kind for _, mail in server.handle(Mail(0, "bye", {"s": 2.0}), 10.0)] == ["bye"]
    assert (server.done, server.next_deadline_s()) == (False, 12.0)
    assert [mail.kind for _, mail in server.handle(Mail(0, "bye", {"s": 2.0}), 11.0)] == ["bye"]
    assert (server.done, server.next_deadline_s()) == (False, 13.0)
    assert server.handle(None, 12.5) == []
    assert not server.done
    server.handle(None, 13.0)
    assert (server.done, server.next_deadline_s()) == (True, None)
    thanked = KVServer([TableConfig("t", 1, 2)], 0, 1, [0, 1])
    for worker in (0, 1):
        thanked.handle(Mail(worker, "bye", {"s": 2.0}), 10.0)
        assert not thanked.done
    assert thanked.handle(Mail(0, "bye"), 10.5) == []
    assert (thanked.done, thanked.next_deadline_s()) == (False, 12.0)
    assert thanked.handle(Mail(1, "bye"), 10.5) == []
    assert (thanked.done, thanked.next_deadline_s()) == (True, None)
    plain = KVServer([TableConfig("t", 1, 2)], 0, 1, [0])
    plain.handle(Mail(0, "bye"), 10.0)
    assert (plain.done, plain.next_deadline_s()) == (True, None)


def test_a_worker_whose_goodbye_is_never_answered_leaves_all_the_same():
    table = TableConfig("t", 1, 2)

    def program(comm):
        if comm.rank:
            return serve(Losing(comm, bye=range(1000)), KVServer([table], 0, 1, [0]))["tables"]["t"]["pushes"]
        with KVWorker(comm, [1], [table], **RETRY) as kv:
            kv.push([0], torch.ones(1, 1), "t")
    assert SimWorld(2).run(program).results[1] == 1


def test_without_loss_retransmission_costs_a_reply_a_clock_and_nothing_else():
    runs = []
    for settings in ({}, {"retry_s": 1.0}):
        def program(comm, settings=settings):
            if comm.rank >= 2:
                return serve(comm, KVServer(TABLES, comm.rank - 2, 2, [0, 1]))
            with KVWorker(comm, [2, 3], TABLES, **settings) as kv:
                train(comm, kv, 0)
                return kv.resent
        runs.append(SimWorld(4).run(program))
    plain, careful = runs
    assert careful.results[:2] == [0, 0]
    assert careful.ledger.total("retry") == plain.ledger.total("retry") == 0
    for kind in ("keys", "vals"):
        assert careful.ledger.total(kind) == plain.ledger.total(kind)
    assert careful.ledger.messages() - plain.ledger.messages() <= 5 * 2 * 2 + 2 * 2      # a last word to each server
    assert careful.seconds < 1.5 * plain.seconds            # nobody waits for a time-out


def test_where_no_mail_is_lost_nothing_is_kept_of_who_was_heard():
    def program(comm, settings):
        if comm.rank:
            return serve(comm, KVServer(TABLES, 0, 1, [0]))
        with KVWorker(comm, [1], TABLES, **settings) as kv:
            kv.wait(kv.pull([1, 2], "sparse"))
            kv.clock()
        return len(kv._outbox._heard_s), len(kv._outbox._due)
    assert SimWorld(2).run(program, {}).results[0] == (0, 0)
    heard, due = SimWorld(2).run(program, RETRY).results[0]
    assert heard == 1
    assert due


def test_in_processes_nothing_is_sent_again():
    """Mail is reliable there: the time-outs must not fire in a healthy run, and servers must not stay behind."""
    def program(comm):
        if comm.rank == 2:
            return serve(comm, KVServer(TABLES, 0, 1, [0, 1]))["repeats"]
        with KVWorker(comm, [2], TABLES, retry_s=600.0) as kv:
            train(comm, kv, 0)
        return kv.resent
    with ProcessWorld(3) as world:
        run = world.run(program)
    assert run.results == [0, 0, 0]
    assert run.ledger.total("retry") == 0
    assert run.seconds < 600


@pytest.mark.parametrize(("settings", "words"), [
    ({"retry_s": 0}, "retry_s=0"), ({"retry_s": -1.0}, "retry_s=-1"), ({"retry_s": float("inf")}, "retry_s=inf"),
    ({"incarnation": -1}, "incarnation=-1"), ({"clock": 1.5}, "clock=1.5"), ({"clock": True}, "clock=True")])
def test_settings_are_checked(settings, words):
    def program(comm):
        KVWorker(comm, [1], TABLES, **settings)
    with pytest.raises(ValueError, match=words):
        SimWorld(2).run(program)
