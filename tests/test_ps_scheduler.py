"""The scheduler as a state machine: letters in, letters out, no world."""

import pytest

from pslab.comm import Mail
from pslab.ps import ASP, BSP, SGD, SSP, HashPartition, KVServer, Scheduler, Status, TableConfig
from pslab.ps.scheduler_status import ClockWatch

TABLES = [TableConfig("a", 2, 10), TableConfig("b", 1, 7, partition=HashPartition(3))]
HOME = 9


def register(rank, role="worker", n=0, **more):
    return Mail(rank, "s.register", {"role": role, "n": n, **more})


def told(letters):
    """{rank: (kind, meta)} of answers, which must be at most one a rank."""
    assert len({dst for dst, _ in letters}) == len(letters)
    return {dst: (letter.kind, letter.meta) for dst, letter in letters}


def kinds(letters):
    return sorted((dst, letter.kind) for dst, letter in letters)


def together(order=(4, 1, 3, 0), **more):
    """Workers at ranks 1 and 4, servers at 0 and 3; gives the scheduler and what the last one's registration gave."""
    scheduler = Scheduler(2, 2, TABLES, rank=HOME, **more)
    letters = []
    for rank in order:
        letters = scheduler.handle(register(rank, "worker" if rank in (1, 4) else "server"), 0.0)
    return scheduler, letters


# ---- rendezvous -----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("order", [(4, 1, 3, 0), (0, 1, 3, 4), (3, 4, 0, 1)])
def test_ids_and_ranges_do_not_depend_on_who_was_first(order):
    scheduler, letters = together(order)
    nodes = {"w": [1, 4], "s": [0, 3], "r": {"a": [0, 5, 10]}, "b": {"workers": 0, "servers": 0, "all": 0}}
    assert told(letters) == {rank: ("s.nodes", {"i": number, **nodes})
                             for rank, number in ((1, 0), (4, 1), (0, 0), (3, 1))}
    assert scheduler.complete


def test_who_waits_is_told_who_is_missing():
    scheduler = Scheduler(2, 1, rank=HOME, ranks=[0, 1, 5, HOME])
    (_, letter), = scheduler.handle(register(1), 0.0)
    assert letter.kind == "s.wait"
    assert letter.meta["w"] == "1 of 2 workers and 1 of 1 server (not a word from ranks 0, 5)"


def test_a_registration_that_comes_twice_or_late_is_answered_again_and_changes_nothing():
    scheduler = Scheduler(2, 2, TABLES, rank=HOME)
    scheduler.handle(register(1), 0.0)
    (dst, again), = scheduler.handle(register(1), 0.1)
    assert (dst, again.kind, type(again).__name__) == (1, "s.wait", "Again")
    assert len(scheduler.members) == 1
    scheduler, letters = together()
    first = told(letters)
    for rank in (4, 3):
        answer = scheduler.handle(register(rank, scheduler.members[rank].role), 5.0)
        assert told(answer) == {rank: first[rank]}
        assert type(answer[0][1]).__name__ == "Again"
    assert len(scheduler.members) == 4


def test_a_node_that_starts_again_keeps_its_id_and_the_barriers_that_are_over():
    scheduler, _ = together()
    for number in (1, 2):
        for rank in (1, 4):
            letters = scheduler.handle(Mail(rank, "s.barrier", {"g": "workers", "b": number, "n": 0}), 1.0)
    assert kinds(letters) == [(1, "s.go"), (4, "s.go")]
    scheduler.handle(Mail(4, "s.barrier", {"g": "workers", "b": 3, "n": 0}), 1.0)
    meta = told(scheduler.handle(register(4, n=1), 2.0))[4][1]
    assert (meta["i"], meta["b"]["workers"]) == (1, 2)
    # It came to barrier 3 in its former life only: worker 0 waits for it again.
    assert scheduler.handle(Mail(1, "s.barrier", {"g": "workers", "b": 3, "n": 0}), 2.0) == []
    (dst, letter), = scheduler.handle(Mail(4, "s.barrier", {"g": "workers", "b": 3, "n": 0}), 2.1)
    assert (dst, letter.kind, letter.meta["n"]) == (4, "s.refused", 0)
    assert "incarnation 0 of worker at rank 4 was replaced by 1" in letter.meta["w"]
    assert kinds(scheduler.handle(Mail(4, "s.barrier", {"g": "workers", "b": 3, "n": 1}), 2.2)) == \
        [(1, "s.go"), (4, "s.go")]


@pytest.mark.parametrize(("letter", "why"), [
    (register(5), "rank 5 is one worker too many: 2 of 2 are here, at ranks 1, 4"),
    (register(5, "queen"), "role='queen'; allowed: worker, server"),
    (register(1, "server"), "rank 1 registered as worker before, and as server now"),
    (register(1, n=-1), "s.register with n=-1"),
    (Mail(5, "s.leave", {"n": 0}), "s.leave from rank 5, which did not register"),
    (Mail(1, "s.barrier", {"g": "servers", "b": 1, "n": 0}), "a worker of this job meets others in: workers, all"),
    (Mail(1, "s.barrier", {"g": "workers", "n": 0}), "s.barrier with b=None"),
    (Mail(1, "s.clocks", {"k": {}}), "s.clocks from rank 1, which is no server"),
    (Mail(1, "hello", {}), "kind='hello'; a scheduler takes s.register, s.barrier, s.status, s.clocks, s.leave"),
])
def test_what_is_refused(letter, why):
    scheduler, _ = together()
    (dst, answer), = scheduler.handle(letter, 1.0)
    assert (dst, answer.kind) == (letter.src, "s.refused")
    assert why in answer.meta["w"]


def test_nodes_with_other_tables_are_refused_at_the_door():
    scheduler = Scheduler(1, 1, [TableConfig("a", 2, 10, rule=SGD(0.1), consistency=BSP())], rank=HOME)
    for other in (TableConfig("a", 3, 10), TableConfig("a", 2, 11), TableConfig("a", 2, 10, consistency=SSP(1)),
                  TableConfig("c", 2, 10), TableConfig("a", 2, 10, partition=HashPartition(1)),
                  TableConfig("a", 2, 10, dtype="bfloat16")):
        theirs = Scheduler(1, 1, [other], rank=HOME)._lines
        (_, answer), = scheduler.handle(register(1, d=theirs), 0.0)
        assert answer.kind == "s.refused"
        assert "other tables than the scheduler" in answer.meta["w"]
    both = Scheduler(1, 1, [TableConfig("a", 2, 10), TableConfig("z", 1, 1)], rank=HOME)._lines
    assert "z: 1 rows of 1" in scheduler.handle(register(1, d=both), 0.0)[0][1].meta["w"]
    assert not scheduler.members
    assert scheduler.handle(register(1, d=both[:1]), 0.0)[0][1].kind == "s.wait"


def test_a_rendezvous_that_takes_too_long_names_who_is_missing():
    scheduler = Scheduler(2, 1, rank=HOME, timeout_s=5.0, ranks=range(4))
    assert scheduler.next_deadline_s() is None              # its time begins with the first call
    scheduler.handle(register(0), 1.0)
    scheduler.handle(register(2), 3.0)
    assert scheduler.next_deadline_s() == 6.0
    assert scheduler.handle(None, 5.9) == []
    letters = scheduler.handle(None, 6.0)
    why = ("rendezvous: 1 of 1 server (not a word from ranks 1, 3) did not come within 5 s; registered: worker at rank "
           "0, worker at rank 2")
    assert told(letters) == {0: ("s.late", {"w": why}), 2: ("s.late", {"w": why})}
    assert scheduler.failed == why
    assert scheduler.done
    done, _ = together(timeout_s=5.0)
    assert done.next_deadline_s() is None
    assert done.handle(None, 99.0) == []
    assert done.failed is None


# ---- barriers -------------------------------------------------------------------------------------------------------

def come(scheduler, rank, group, number, now_s=1.0, **more):
    return scheduler.handle(Mail(rank, "s.barrier", {"g": group, "b": number, "q": number, "n": 0, **more}), now_s)


def test_groups_are_apart_and_calls_are_counted():
    scheduler, _ = together()
    assert come(scheduler, 1, "workers", 1) == []
    assert come(scheduler, 0, "servers", 1) == []
    assert come(scheduler, 0, "all", 1) == []
    assert kinds(come(scheduler, 4, "workers", 1)) == [(1, "s.go"), (4, "s.go")]
    assert come(scheduler, 1, "all", 1) == []
    assert come(scheduler, 4, "workers", 2) == []
    assert kinds(come(scheduler, 3, "servers", 1)) == [(0, "s.go"), (3, "s.go")]
    assert come(scheduler, 3, "all", 1) == []
    assert kinds(come(scheduler, 4, "all", 1)) == [(0, "s.go"), (1, "s.go"), (3, "s.go"), (4, "s.go")]


def test_a_call_that_comes_twice_counts_once_and_its_lost_answer_is_given_again():
    scheduler, _ = together()
    come(scheduler, 1, "workers", 1)
    assert kinds(come(scheduler, 1, "workers", 1)) == [(1, "s.wait")]
    come(scheduler, 4, "workers", 1)
    (dst, letter), = come(scheduler, 1, "workers", 1)
    assert (dst, letter.kind, letter.meta["b"], type(letter).__name__) == (1, "s.go", 1, "Again")
    assert come(scheduler, 4, "workers", 2) == []           # an echo did not open the next one
    assert kinds(come(scheduler, 1, "workers", 2)) == [(1, "s.go"), (4, "s.go")]


def test_a_barrier_that_takes_too_long_names_who_is_missing_and_may_be_called_again():
    scheduler, _ = together()
    come(scheduler, 1, "all", 1, 1.0)
    come(scheduler, 0, "all", 1, 1.5, t=2.0)
    assert scheduler.next_deadline_s() == 3.5
    (dst, letter), = scheduler.handle(None, 3.5)
    assert (dst, letter.kind, letter.meta["q"]) == (0, "s.late", 1)
    assert letter.meta["w"] == ("barrier 1 of all: server 1 (rank 3), worker 1 (rank 4) did not come; "
                                "server 0 (rank 0) waited 2 s")
    come(scheduler, 3, "all", 1, 4.0)
    assert come(scheduler, 4, "all", 1, 4.0) == []          # server 0 is not there any more
    assert len(come(scheduler, 0, "all", 1, 4.1)) == 4


def test_who_left_holds_nobody_up():
    scheduler, _ = together()
    come(scheduler, 1, "workers", 1)
    assert kinds(scheduler.handle(Mail(4, "s.leave", {"n": 0}), 2.0)) == [(1, "s.go"), (4, "s.left")]
    assert kinds(come(scheduler, 1, "workers", 2)) == [(1, "s.go")]


def test_a_job_may_know_fewer_groups():
    scheduler, _ = together(groups=["workers"])
    assert "meets others in: none; not in 'servers'" in come(scheduler, 0, "servers", 1)[0][1].meta["w"]
    assert come(scheduler, 1, "workers", 1) == []


# ---- the end --------------------------------------------------------------------------------------------------------

def test_it_ends_when_all_have_left_and_stays_where_letters_can_be_lost():
    scheduler, _ = together()
    for rank in (0, 1, 3):
        scheduler.handle(Mail(rank, "s.leave", {"n": 0}), 1.0)
        assert not scheduler.done
    scheduler.handle(Mail(4, "s.leave", {"n": 0, "s": 3.0}), 2.0)
    assert not scheduler.done
    assert scheduler.next_deadline_s() == 5.0
    (dst, letter), = scheduler.handle(Mail(4, "s.leave", {"n": 0, "s": 3.0}), 3.0)
    assert (dst, letter.kind, type(letter).__name__) == (4, "s.left", "Again")
    assert scheduler.handle(Mail(4, "s.leave", {"n": 0}), 3.5) == []
    assert scheduler.done                                   # it has its answer
    (_, letter), = scheduler.handle(register(4, n=1), 3.6)
    assert "worker 1 (rank 4) has left" in letter.meta["w"]


# ---- status ---------------------------------------------------------------------------------------------------------

def test_status_asks_the_first_server_and_tells_clocks_and_barriers():
    scheduler, _ = together()
    come(scheduler, 1, "workers", 1, 4.0)
    assert told(scheduler.handle(Mail(4, "s.status", {"q": 7, "n": 0}), 5.0)) == {0: ("s.ask", {})}
    clocks = {1: [3, 0.5, [4]], 4: [2, 2.5, []]}
    (dst, letter), = scheduler.handle(Mail(0, "s.clocks", {"k": clocks}), 6.0)
    assert (dst, letter.kind, letter.meta["q"]) == (4, "s.table", 7)
    status = Status.from_dict(letter.meta)
    assert status == scheduler.status()
    barrier, running, server = status.row(1), status.row(4), status.row(3)
    assert (barrier.state, barrier.clock, barrier.waits_for, barrier.for_s) == ("barrier", 3, (4,), 2.0)
    assert (running.state, running.clock, running.waits_for, running.for_s) == ("running", 2, (), 2.5)
    assert (server.role, server.id, server.state) == ("server", 1, "serving")
    come(scheduler, 4, "workers", 1, 6.0)
    waiting = scheduler.status().row(1)
    assert (waiting.state, waiting.waits_for, waiting.for_s) == ("waiting", (4,), 0.5)
    assert scheduler.status().table().splitlines() == [
        "node      rank  state    clock  waits for  for",
        "worker 0  1     waiting  3      worker 1   0.5 s",
        "worker 1  4     running  2                 2.5 s",
        "server 0  0     serving",
        "server 1  3     serving"]


def test_status_before_all_have_come_and_after_servers_left():
    scheduler = Scheduler(1, 1, rank=HOME)
    scheduler.handle(register(1), 1.0)
    worker, server = scheduler.status().rows
    assert (worker.role, worker.rank, worker.state) == ("worker", 1, "registered")
    assert (server.role, server.rank, server.state) == ("server", None, "missing")
    assert "waits for 1 of 1 server" in scheduler.status().table()
    scheduler.handle(register(2, "server"), 2.0)
    assert kinds(scheduler.handle(Mail(1, "s.status", {"q": 1, "n": 0}), 3.0)) == [(2, "s.ask")]
    letters = scheduler.handle(Mail(2, "s.leave", {"n": 0}), 4.0)       # it left without having answered
    assert kinds(letters) == [(1, "s.table"), (2, "s.left")]
    assert scheduler.status().row(2).state == "left"


def test_status_by_itself_every_so_often():
    scheduler, _ = together(status_every_s=2.0)
    assert scheduler.next_deadline_s() == 2.0
    assert scheduler.fresh_status() is None
    assert kinds(scheduler.handle(None, 2.0)) == [(0, "s.ask")]
    assert scheduler.next_deadline_s() == 4.0
    scheduler.handle(Mail(0, "s.clocks", {"k": {1: [5, 0.1, []]}}), 2.1)
    assert scheduler.fresh_status().row(1).clock == 5
    assert scheduler.fresh_status() is None                 # handed out once


@pytest.mark.parametrize(("make", "message"), [
    (lambda: Scheduler(0, 1, rank=0), "num_workers=0"),
    (lambda: Scheduler(1, 0, rank=0), "num_servers=0"),
    (lambda: Scheduler(1, True, rank=0), "num_servers=True"),
    (lambda: Scheduler(1, 1, rank=0, timeout_s=0), "timeout_s=0"),
    (lambda: Scheduler(1, 1, rank=0, status_every_s=-1.0), "status_every_s=-1.0"),
])
def test_bad_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()


# ---- what a server knows of its workers -----------------------------------------------------------------------------

def watched(*models, workers=(0, 1, 2, 3)):
    tables = [TableConfig(f"t{number}", 1, 4, consistency=model) for number, model in enumerate(models)]
    server = KVServer(tables, 0, 1, list(workers), 9)
    watch = ClockWatch(server, tables, 0.0)

    def see(*letters):
        for src, kind, clock, now_s in letters:
            watch.see(Mail(src, kind, {"c": clock}), now_s)
        return watch.letter(9, 10.0).meta["k"]
    return see


def test_clocks_and_waits_as_a_server_sees_them():
    see = watched(BSP())
    told = see((0, "clock", 1, 4.0), (1, "clock", 1, 5.0), (2, "clock", 1, 6.0))
    assert told == {0: [1, 6.0, [3]], 1: [1, 5.0, [3]], 2: [1, 4.0, [3]], 3: [0, 10.0, []]}
    told = see((3, "clock", 1, 9.0), (0, "clock", 1, 9.5), (7, "clock", 5, 9.5))        # an echo, a stranger
    assert told[0] == [1, 6.0, []]
    assert see((0, "clock", 2, 9.5))[0] == [2, 0.5, [1, 2, 3]]
    assert see((1, "bye", None, 9.6))[0] == [2, 0.5, [2, 3]]


def test_waits_follow_the_strictest_table_and_backup_workers():
    see = watched(SSP(2), ASP())
    assert see((0, "clock", 2, 1.0))[0][2] == []
    assert see((0, "clock", 3, 1.0), (1, "clock", 1, 1.0))[0][2] == [2, 3]
    see = watched(BSP(backup=1))
    assert see((0, "clock", 1, 1.0), (1, "clock", 1, 1.0))[0][2] == [2, 3]
    assert see((2, "clock", 1, 1.0))[0][2] == []            # three of four are enough
    assert watched(ASP())((0, "clock", 50, 1.0))[0][2] == []
