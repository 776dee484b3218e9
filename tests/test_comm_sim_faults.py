"""Faults are parameters with a seed: each knob strikes what it says, and nothing else."""

import pytest
import torch

from pslab.comm import Faults, Link, RankDied, SimWorld

LETTERS = 200
LINK = Link(latency_s=1e-3, bandwidth_Bps=1e9)
ENGINES = ["threads", "greenlets"]


def letters(comm):
    """Rank 0 posts numbered letters, 1 ms apart; rank 1 notes number, value and time."""
    if comm.rank == 0:
        for number in range(LETTERS):
            comm.post(1, "n", {"number": number}, [torch.tensor([number])])
            comm.sleep(1e-3)
        return None
    got = []
    while (mail := comm.poll(0.5)) is not None:
        assert mail.tensors[0].item() == mail.meta["number"]
        mail.tensors[0].fill_(-1)                                        # a second copy must not see this
        got.append((mail.meta["number"], comm.now()))
    return got


def run_letters(**faults):
    return SimWorld(2, link=LINK, faults=Faults(**faults), trace=False).run(letters).results[1]


def test_nothing_happens_without_faults():
    got = run_letters()
    assert [number for number, _ in got] == list(range(LETTERS))
    assert got == SimWorld(2, link=LINK, trace=False).run(letters).results[1] == run_letters(seed=7)


def test_drop_loses_letters_and_counts_them_as_sent():
    run = SimWorld(2, link=LINK, faults=Faults(seed=1, drop=0.25)).run(letters)
    numbers = [number for number, _ in run.results[1]]
    assert numbers == sorted(set(numbers))
    assert LETTERS * 0.15 < LETTERS - len(numbers) < LETTERS * 0.35
    assert run.ledger.messages(0, 1) == LETTERS
    assert run_letters(drop=1.0) == []


def test_duplicate_delivers_twice_and_counts_once():
    run = SimWorld(2, link=LINK, faults=Faults(seed=1, duplicate=0.25)).run(letters)
    numbers = [number for number, _ in run.results[1]]
    assert set(numbers) == set(range(LETTERS))
    assert LETTERS * 0.15 < len(numbers) - LETTERS < LETTERS * 0.35
    assert run.ledger.messages(0, 1) == LETTERS
    assert len(run_letters(duplicate=1.0)) == 2 * LETTERS


def test_reorder_lets_letters_overtake_each_other():
    numbers = [number for number, _ in run_letters(seed=1, reorder_s=5e-3)]
    assert sorted(numbers) == list(range(LETTERS))
    assert numbers != sorted(numbers)
    assert max(abs(at - number) for at, number in enumerate(numbers)) <= 5


def test_delay_keeps_the_order_and_takes_time():
    got, plain = run_letters(seed=1, delay_s=5e-3), run_letters()
    assert [number for number, _ in got] == list(range(LETTERS))
    late = [slow - fast for (_, slow), (_, fast) in zip(got, plain)]
    assert min(late) >= 0
    assert 4e-3 < max(late) <= 5e-3


def test_knobs_do_not_disturb_each_other():
    """The same letters are lost whether or not others are doubled or late."""
    lost = set(range(LETTERS)) - {number for number, _ in run_letters(seed=4, drop=0.3)}
    again = set(range(LETTERS)) - {number for number, _ in run_letters(seed=4, drop=0.3, duplicate=0.5, reorder_s=1e-2,
                                                                      delay_s=1e-2)}
    assert lost == again
    assert lost != set(range(LETTERS)) - {number for number, _ in run_letters(seed=5, drop=0.3)}


def tensors(comm):
    """Five tensors of equal tag, received in the order sent, and a barrier."""
    times = []
    for step in range(5):
        if comm.rank == 0:
            comm.send(torch.full((3,), float(step)), 1)
        else:
            assert comm.recv(0).tolist() == [step] * 3
        times.append(comm.now())
    comm.barrier()
    return times, comm.now()


def test_tensors_are_never_lost_doubled_or_swapped():
    plain = SimWorld(2, link=LINK).run(tensors)
    struck = SimWorld(2, link=LINK, faults=Faults(drop=1.0, duplicate=1.0, reorder_s=1.0)).run(tensors)
    assert struck.results == plain.results
    assert struck.trace.to_bytes() == plain.trace.to_bytes()


@pytest.mark.parametrize("engine", ENGINES)
def test_delay_strikes_tensors_too(engine):
    plain = SimWorld(2, link=LINK, engine=engine).run(tensors).results[1]
    late = SimWorld(2, link=LINK, engine=engine, faults=Faults(seed=2, delay_s=1.0)).run(tensors).results[1]
    assert all(slow > fast + 1e-3 for slow, fast in zip(late[0], plain[0]))
    assert late[1] > late[0][-1] + 2e-3


def test_mail_to_oneself_is_spared():
    def program(comm):
        comm.post(comm.rank, "note")
        return comm.poll(0) is not None

    assert SimWorld(2, faults=Faults(drop=1.0)).run(program).results == [True, True]


def test_slow_multiplies_compute_and_nothing_else():
    def program(comm):
        comm.compute(1.0)
        comm.sleep(1.0)
        return comm.now()

    assert SimWorld(3, faults=Faults(slow={1: 2.5, 2: 0.5})).run(program).results == [2.0, 3.5, 1.5]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_crash_ends_the_run_at_its_time(engine):
    times = []

    def program(comm):
        while True:
            comm.compute(1.0)
            times.append((comm.rank, comm.now()))

    with pytest.raises(RankDied, match="rank 1 was killed by signal 9 .*it crashed at 2.5 s") as caught:
        SimWorld(3, engine=engine, faults=Faults(crash={1: 2.5})).run(program)
    assert (caught.value.rank, caught.value.signal) == (1, 9)
    assert max(time for _, time in times) == 2.0


@pytest.mark.parametrize("engine", ENGINES)
def test_a_crash_strikes_ranks_that_wait_and_spares_those_that_ended(engine):
    def program(comm):
        if comm.rank:
            comm.recv(0)
        else:
            comm.compute(5.0)
            comm.send(torch.zeros(1), 1)

    with pytest.raises(RankDied, match="rank 1"):
        SimWorld(2, engine=engine, faults=Faults(crash={1: 3.0})).run(program)
    with pytest.raises(RankDied, match="rank 0"):
        SimWorld(2, engine=engine, faults=Faults(crash={0: 0.0})).run(program)
    state = torch.get_rng_state()
    SimWorld(2, engine=engine, faults=Faults(crash={0: 5.000001, 1: 99.0})).run(program)
    assert torch.equal(torch.get_rng_state(), state)


def test_a_lane_has_its_own_luck():
    """More traffic elsewhere does not change what this lane suffers."""
    def program(comm, extra):
        if comm.rank == 0:
            for number in range(50):
                comm.post(1, "n", {"number": number})
        if comm.rank == 2:
            for _ in range(extra):
                comm.post(1, "other")
        got = []
        while comm.rank == 1 and (mail := comm.poll(1.0)) is not None:
            got.append(mail.meta.get("number"))
        return [number for number in got if number is not None]

    def both(comm):
        if comm.rank == 0:
            for number in range(50):
                comm.post(1, "n", {"number": number}), comm.post(2, "n", {"number": number})
        got = []
        while comm.rank and (mail := comm.poll(1.0)) is not None:
            got.append(mail.meta["number"])
        return got

    world = SimWorld(3, faults=Faults(seed=1, drop=0.3))
    _, to_1, to_2 = world.run(both).results
    assert to_1 != to_2
    few = world.run(program, 0).results[1]
    assert few == world.run(program, 30).results[1]
    assert 20 < len(few) < 50


@pytest.mark.parametrize(("bad", "message"), [
    ({"drop": 1.5}, "drop=1.5; a probability"), ({"duplicate": -0.1}, "duplicate=-0.1"),
    ({"reorder_s": -1}, "reorder_s=-1"), ({"delay_s": float("inf")}, "delay_s=inf"),
    ({"slow": {0: 0}}, r"slow\[0\]=0; a factor above 0"), ({"crash": {0: -1}}, r"crash\[0\]=-1"),
    ({"slow": {2: 2.0}}, "slow names rank 2; this world has ranks 0..1"), ({"crash": {-1: 1.0}}, "crash names rank -1"),
])
def test_bad_faults(bad, message):
    with pytest.raises(ValueError, match=message):
        SimWorld(2, faults=Faults(**bad))
