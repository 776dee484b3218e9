"""The history checker: right servers pass under every seed, each planted fault is refused in the right words."""

import math
import re

import pytest
from ps_history_job import misfortune, play
from ps_toy_server import play as play_toy

from pslab.comm import Faults, Link
from pslab.ps import ASP, BSP, SSP, BoundedDelay, KVServer, PerRange
from pslab.ps.clocks import Clocks
from pslab.ps.dedup import Seen
from pslab.ps.history import check
from pslab.ps.rounds import Rounds

INF = math.inf
MODELS = [BSP(), SSP(1), SSP(3), ASP(), SSP(INF), PerRange([(0, 3, BSP()), (3, None, SSP(2))]), BSP(backup=1),
          BoundedDelay(1)]


def judge(seed, model, **how):
    try:
        history, _ = play(model, seed, **how)
    except Exception as error:
        error.add_note(f"seed {seed}, {model}")
        raise
    straggler = not isinstance(model, (PerRange, BoundedDelay))         # those two are reached in other jobs
    found = check(history, model, reached=straggler)
    assert not found, f"seed {seed}, {model}:\n{found}"
    return found


def test_right_servers_pass():
    """Every model, with marks and with stamps, on links that lose, double and reorder letters, or do not."""
    facts = 0
    for seed in range(40):
        model = MODELS[seed % len(MODELS)]
        stamps = seed // len(MODELS) % 2 == 0 or bool(getattr(model, "backup", 0))      # its means are no whole sums
        facts += sum(judge(seed, model, stamps=stamps, faults=misfortune(seed)).facts.values())
    assert facts > 40_000


@pytest.mark.long
@pytest.mark.parametrize("first", range(0, 3000, 125))
def test_right_servers_pass_over_thousands_of_seeds(first):
    for seed in range(first, first + 125):
        model = MODELS[seed % len(MODELS)]
        judge(seed, model, stamps=seed // 8 % 2 == 0 or bool(getattr(model, "backup", 0)), faults=misfortune(seed))


@pytest.mark.parametrize("model", [BSP(), SSP(1), SSP(2), ASP()])
def test_another_hands_right_server_passes(model):
    """No code is shared, only letters and marks; it lets clock() pass as pslab's does, and pulls wait too."""
    for seed in range(8):
        history = play_toy(model, seed=seed)
        for begins in ("clock", "pull"):
            found = check(history, model, reached=True, fresh=True, begins=begins)
            assert not found, f"seed {seed}:\n{found}"


FAULTY = [      # fault, model, the rule that finds it, words of the finding
    ("one too many", SSP(2), "gate", r"worker \d, clock 3: expected to begin only when every worker had ended 1 round; "
                                     r"seen: worker 0 had ended 0"),
    ("one too many", SSP(2), "bound", "expected every push stamped 0 or earlier, so push 0 of worker 0"),
    ("one too few", SSP(2), "reached", "expected somebody to begin a round 2 ahead .*never more than 1 ahead"),
    ("really BSP", SSP(2), "reached", "never more than 0 ahead in 4 rounds"),
    ("really BSP", ASP(), "reached", "nobody is held up; seen: never more than 0 ahead"),
    ("rounds inside", SSP(2), "own", "its own earlier pushes, so push 0 of worker 0 .*; seen: a row without it"),
    ("really ASP", SSP(2), "gate", "worker 0 had ended 0"),
    ("really ASP", SSP(2), "ahead", r"expected no push stamped later than \d; seen: push"),
    ("really ASP", BSP(), "gate", "clock 1: expected to begin only when every worker had ended 1 round"),
    ("largest clock", SSP(1), "gate", "worker 0 had ended 0 as it began"),
    ("lost", SSP(1), "final", "once at the end; seen: it is lost"),
    ("lost", ASP(), "own", "its own earlier pushes"),
    ("lost", BSP(), "bound", "every push stamped"),
    ("doubled", SSP(1), "sum", r"expected push 1 of worker 2 \(its clock 1\) once; seen: it is in the row 2 times"),
    ("doubled", ASP(), "final", "once at the end; seen: it is in the row 2 times"),
    ("next key", SSP(1), "sum", "only pushes that were made; seen: push . of worker ., which there is not"),
    ("equal numbers", SSP(1), "own", "so push 0 of worker 0"),
    ("equal numbers", BSP(), "final", "it is lost"),
    ("counts requests", BSP(), "round", "expected only pushes of rounds before 0; seen: push 0 of worker 1"),
    ("one round late", BSP(), "bound", "clock 1, key 0 of table 't': expected every push stamped 0 or earlier"),
    ("at once", BSP(), "round", "expected only pushes of rounds before 0; seen: push 0 of worker"),
    ("last writer wins", SSP(1), "final", "it is lost"),
    ("mean of two", SSP(1), "sum", "0.5 in column ., which no pushes add up to"),
    ("snapshot", SSP(2), "own", "its own earlier pushes"),
    ("snapshot", ASP(), "own", "its own earlier pushes"),
    ("lagging replica", SSP(3), "monotonic", "which its pull at clock . saw; seen: a row without it"),
]


@pytest.mark.parametrize(("fault", "model", "rule", "words"), FAULTY)
def test_a_faulty_server_is_refused(fault, model, rule, words):
    found = check(play_toy(model, fault), model, reached=True, begins="pull")
    assert rule in found.rules, f"{fault}: {found}"
    assert any(re.search(words, str(finding)) for finding in found if finding.rule == rule), f"{fault}: {found}"


def test_a_retry_that_is_applied_twice():
    faults = Faults(seed=1, duplicate=0.5)
    assert not check(play_toy(SSP(1), faults=faults), SSP(1))
    found = check(play_toy(SSP(1), "retry twice", faults=faults), SSP(1))
    assert {"sum", "final"} <= found.rules
    assert "it is in the row 2 times" in str(found)


def test_no_model_passes_for_another():
    """Five models run, each judged as each: with a straggler, only the one that it is passes."""
    models = [BSP(), SSP(1), SSP(2), SSP(3), ASP()]
    for stamps in (False, True):
        ran = [play(model, 1, stamps=stamps)[0] for model in models]
        passed = {(i, j) for i, history in enumerate(ran) for j, model in enumerate(models)
                  if not check(history, model, reached=True)}
        assert passed == {(i, i) for i in range(5)}


# ---- faults planted in pslab's own server, found by the servers' logs ---------------------------------------------


def find(model, seeds, **how):
    rules = set()
    for seed in seeds:
        history, _ = play(model, seed, stamps=True, workers=3, **how)
        rules |= check(history, model, reached=True).rules
    return rules


def test_without_memory_of_numbers(monkeypatch):
    monkeypatch.setattr(Seen, "is_repeat", lambda self, incarnation, number: False)
    assert {"sum", "final"} <= find(SSP(1), range(4), faults=Faults(seed=1, duplicate=0.5))


def test_one_memory_for_all_workers(monkeypatch):
    made = KVServer.__init__

    def shared(self, *args, **kwargs):
        made(self, *args, **kwargs)
        self._senders.writes = dict.fromkeys(self.workers, Seen())
    monkeypatch.setattr(KVServer, "__init__", shared)
    assert {"bound", "final"} <= find(BSP(), range(2))


def test_a_push_that_is_forgotten(monkeypatch):
    recorded, count = Rounds.record, iter(range(10**6))
    monkeypatch.setattr(Rounds, "record", lambda *args: recorded(*args) if next(count) % 5 else None)
    assert {"own", "final"} <= find(SSP(1), range(2))


def test_a_round_that_closes_one_late(monkeypatch):
    recorded = Rounds.record
    monkeypatch.setattr(Rounds, "record", lambda self, shard, clock, part: recorded(self, shard, clock + 1, part))
    assert find(BSP(), range(2)) >= {"bound"}


def test_a_late_push_kept_for_the_next_round(monkeypatch):
    recorded = Rounds.record

    def keep(self, shard, clock, part):
        recorded(self, shard, max(clock, self.clocks.level(1)), part)
    monkeypatch.setattr(Rounds, "record", keep)
    assert "bound" in find(BSP(backup=1), range(6), straggler=False)


def test_a_round_that_waits_for_one_too_few(monkeypatch):
    made = Clocks.__init__

    def fewer(self, workers, backups=()):
        made(self, workers, {2} if backups else ())
    monkeypatch.setattr(Clocks, "__init__", fewer)
    monkeypatch.setattr(Clocks, "level", lambda self, backup: self.fronts[0] if backup else self.min_clock)
    assert {"gate", "final"} & find(BSP(backup=1), range(6))


def test_a_delay_that_nobody_keeps(monkeypatch):
    """The worker of BoundedDelay(1) runs with a delay of 3."""
    history, _ = play(BoundedDelay(3), 0, straggler=False, link=Link(latency_s=1e-3))
    assert not check(history, BoundedDelay(3), reached=True)
    found = check(history, BoundedDelay(1))
    assert found.rules == {"delay"}
    assert "when all its requests up to clock" in str(found[0])
