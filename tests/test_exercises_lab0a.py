"""Lab 0A: references against closed forms, runs that are made once, judges that name what they see."""

import itertools

import pytest
import torch
from direct_answers import Direct

from pslab import cost, exercises
from pslab.comm import SimWorld
from pslab.exercises import lab0a_broadcast, lab0a_first, lab0a_scatter
from pslab.exercises.lab0_common import LINK, SENTENCES, STUCK, Once, chunk_sizes, how_stuck
from pslab.grade import AnswerFailed, Stalled, cases, contracts, feedback
from pslab.grade.judging import judge

LAB = ("0A.0", "0A.1", "0A.2", "0A.3", "0A.4", "0A.5")


@pytest.fixture(scope="module")
def shipped(repo_root):
    """shipped("0A.3", "right_chunks") -> that answer's functions, in this process: they are the course's own."""
    def load(exercise, name):
        folder = repo_root / "tests" / "answers" / "lab0a" / f"ex_{exercise.lower().replace('.', '_')}"
        namespace = {}
        exec((folder / f"{name}.py").read_text(encoding="utf-8"), namespace)
        return namespace
    return load


class InTheSimulator(Direct):
    """Directs all worlds to the simulator, and says what stands still as the box does."""

    def __init__(self, functions):
        super().__init__(functions)
        self.runs = 0

    def restart(self):
        pass

    def run(self, name, world_size, *args, per_rank=None, world="sim", link=None, trace=True, timeout_s=10.0):
        self.runs += 1
        given = {"per_rank": per_rank} if per_rank is not None else {}
        run = SimWorld(world_size, link=link, trace=trace).run(self.functions[name], *args, **given)
        run.changed_inputs = []
        return run


def verdict(exercise, criterion, functions):
    found = next(c for c in exercises.get(exercise).criteria if c.name == criterion)
    return found.judge(InTheSimulator(functions), cases(exercise)[0].of(criterion))


# ---- the lab as a whole ---------------------------------------------------------------------------------------------


def test_minutes_difficulty_and_core_are_those_of_the_course_s_table():
    lab = exercises.lab("0A")
    assert tuple(e.id for e in lab) == LAB
    assert [e.minutes for e in lab[:5]] == [15, 20, 30, 35, 15]
    assert max(e.difficulty for e in lab) == 3
    assert sum(e.minutes for e in lab if e.core) < 150
    assert sum(e.minutes for e in lab) < 210
    assert [e.points for e in lab] == [0, 20, 30, 35, 15, 4]
    assert all(len(e.hints) == 3 for e in lab[:5])


def test_every_graded_coding_exercise_has_hidden_checks_and_real_processes_where_it_sends():
    for e in exercises.lab("0A")[1:5]:
        assert e.hidden == 1
        assert ("in real processes" in {c.name for c in e.criteria}) == (e.id != "0A.4")


def test_shared_sentences_are_the_same_wherever_they_are_told():
    for e in exercises.lab("0A"):
        for m in e.misconceptions:
            assert SENTENCES.get(m.id, m.sentence) == m.sentence
        if e.id in ("0A.1", "0A.2", "0A.3"):
            assert set(STUCK) <= {m.id for m in e.misconceptions}


@pytest.mark.parametrize("student", ["anna", "boris"])
@pytest.mark.parametrize(("exercise", "answer"), [("0A.1", "right_doubling"), ("0A.2", "right_isend_recv"),
                                                  ("0A.3", "right_two_functions"), ("0A.4", "right_formula")])
def test_right_answers_pass_whatever_the_student_s_seed(shipped, exercise, answer, student):
    report = judge(exercises.get(exercise), InTheSimulator(shipped(exercise, answer)), *cases(exercise, student, "s"),
                   strict=True)
    assert report.passed, report.first_failure


@pytest.mark.parametrize("hidden_K", contracts.trials.HIDDEN_WORLD_SIZES)
@pytest.mark.parametrize(("exercise", "answer"), [("0A.1", "right_doubling"), ("0A.2", "right_isend_recv"),
                                                  ("0A.3", "right_two_functions")])
def test_right_answers_pass_with_every_number_of_ranks_that_may_be_hidden(shipped, exercise, answer, hidden_K,
                                                                          monkeypatch):
    monkeypatch.setattr(contracts.trials, "HIDDEN_WORLD_SIZES", (hidden_K,))
    report = judge(exercises.get(exercise), InTheSimulator(shipped(exercise, answer)), *cases(exercise, "anna", "s"),
                   strict=True)
    assert report.passed, report.first_failure


def test_other_roots_are_not_blamed_where_rank_0_fails_as_well():
    told = verdict("0A.1", "from any root", {"broadcast": lambda comm, x, root: x.clone()})
    assert not told.passed
    assert told.misconception == "0/kept-its-own"
    rotated = {"broadcast": lambda comm, x, root: x.clone() if root else _sent_by_0(comm, x)}
    assert verdict("0A.1", "from any root", rotated).misconception == "0/wrong-rotation"


def _sent_by_0(comm, x):
    if comm.rank:
        return comm.recv(0)
    for other in range(1, comm.world_size):
        comm.send(x, other)
    return x.clone()


# ---- what lab 0 shares ----------------------------------------------------------------------------------------------


def test_chunks_are_those_of_tensor_split():
    for P, K in itertools.product((0, 1, 4, 10, 23), (1, 2, 3, 7)):
        assert chunk_sizes(P, K) == [len(c) for c in torch.tensor_split(torch.zeros(P), K)]


def test_a_run_is_made_once_for_all_criteria_that_look_at_it(shipped):
    answers = InTheSimulator(shipped("0A.3", "right_chunks"))
    by_name = {c.name: c for c in exercises.get("0A.3").criteria}
    counts = []
    for name in ("the sum on every rank", "bytes", "messages", "neighbours only", "seconds"):
        assert by_name[name].judge(answers, cases("0A.3")[0].of(name)).passed
        counts.append(answers.runs)
    assert counts[0] >= 20
    assert set(counts) == {counts[0]}
    assert by_name["in real processes"].judge(answers, cases("0A.3")[0].of("x")).passed
    assert answers.runs == counts[0] + 1                        # the simulated half of it was there already


def test_runs_of_another_seed_or_another_answer_are_not_mixed_up(shipped):
    job = Once("ring_all_reduce", lambda case: contracts.collective_trials(case, lambda xs: [sum(xs)] * len(xs)))
    public, hidden = cases("0A.3", "anna", "s")
    first, second = (InTheSimulator(shipped("0A.3", name)) for name in ("right_chunks", "wrong_mean"))
    floats = [next(t for t in job.on(case) if not t.exact and t.K == 3) for case in (public, hidden)]
    assert str(floats[0]) == str(floats[1])
    runs = [job.run(first, trial).results[0] for trial in floats]
    assert not torch.equal(*runs)
    assert not torch.equal(runs[0], job.run(second, floats[0]).results[0])
    assert job.run(first, floats[0]).results[0] is runs[0]


def test_the_first_trials_are_easy_to_read_and_a_failure_names_its_ranks():
    job = Once("f", lambda case: contracts.collective_trials(case, lambda xs: [sum(xs)] * len(xs)))
    first = job.on(cases("0A.3")[0])[0]
    assert first.K == 3
    assert 3 <= first.P <= 100

    class Failing:
        def run(self, *args, **kwargs):
            raise Stalled("a table", "cell 4, line 3 in f")
    with pytest.raises(AnswerFailed) as failed:
        job.run(Failing(), first)
    assert failed.value.where == f"cell 4, line 3 in f; {first}"


def test_what_stopped_once_is_told_once(shipped):
    report = judge(exercises.get("0A.3"), InTheSimulator(shipped("0A.3", "wrong_mean")), cases("0A.3")[0])
    assert [v.passed for _, v in report.verdicts].count(False) == 1

    class Stopping(InTheSimulator):
        def run(self, *args, **kwargs):
            self.runs += 1
            raise Stalled("deadlock\n0  recv(src=1)\n1  recv(src=0)", "line 3")
    answers = Stopping({})
    report = judge(exercises.get("0A.3"), answers, cases("0A.3")[0], strict=True)
    assert {v.misconception for _, v in report.verdicts} == {"0/everyone-receives-first"}
    assert len({(v.seen, v.where) for _, v in report.verdicts}) == 1
    assert answers.runs == 1
    assert feedback.text(report).count("as 'the sum on every rank'") == 5


def test_too_few_bytes_of_a_wrong_result_are_told_as_the_wrong_result(shipped):
    report = judge(exercises.get("0A.1"), InTheSimulator(shipped("0A.1", "wrong_root_hard_wired")), cases("0A.1")[0])
    assert {v.misconception for _, v in report.verdicts if not v.passed} == {"0/root-hard-wired"}
    report = judge(exercises.get("0A.1"), InTheSimulator(shipped("0A.1", "wrong_global_mailbox")), cases("0A.1")[0])
    assert {v.misconception for _, v in report.verdicts if not v.passed} == {"0/ranks-share-nothing"}


@pytest.mark.parametrize(("table", "told"), [
    ("deadlock\n0  send(dst=1)  rank 1\n1  isend(dst=0).wait()  rank 0", "0/everyone-sends-first"),
    ("deadlock\n0  recv(src=1)  rank 1\n1  recv(src=0)  rank 0", "0/everyone-receives-first"),
    ("deadlock\n0  recv(src=1)  rank 1\nsent, but never received:\n", "all/stalled"),
    ("deadlock\n0  recv(src=1)  rank 1  rank 1 has ended", "all/stalled"),
    ("deadlock\n0  recv(src=1)  rank 1\n1  send(dst=2)  rank 2", "all/stalled"),
    ("the program ended with tensors that nobody received", "0/sent-and-never-received"),
])
def test_a_standstill_is_read(table, told):
    assert how_stuck(table) == told


# ---- 0A.0 -----------------------------------------------------------------------------------------------------------


def test_the_circle_is_found_by_following_who_waits_for_whom():
    assert lab0a_first.circle_of({0: 1, 1: 0, 2: 1, 3: 2}) == [0, 1]
    assert lab0a_first.circle_of({0: 3, 1: 0, 2: 1, 3: 2}) == [0, 1, 2, 3]
    assert lab0a_first.circle_of({0: 1, 1: 2, 2: 3}) == []
    assert lab0a_first.waiting() == {0: 1, 1: 0, 2: 1, 3: 2}


# ---- 0A.1 to 0A.3: bounds are those of the kit's own formulas -------------------------------------------------------


def test_the_tree_s_bounds_are_the_closed_forms():
    for K in (1, 2, 3, 5, 8, 9):
        traffic = cost.broadcast(36, K, K - 1)
        assert sum(port.into_bytes if hasattr(port, "into_bytes") else port.in_bytes for port in traffic.ports) == (
            36 * (K - 1))
        assert traffic.rounds == lab0a_broadcast.rounds(K)


def test_the_worked_examples_are_runs(shipped):
    tree, flat = (shipped("0A.1", name)["broadcast"] for name in ("right_doubling", "wrong_flat"))
    times = [SimWorld(4, link=LINK).run(program, torch.zeros(4), 0).seconds for program in (tree, flat)]
    assert times == pytest.approx([52e-6, 78e-6])
    two = SimWorld(2).run(shipped("0A.2", "right_isend_recv")["reduce_scatter"],
                          per_rank=[(torch.tensor([0.0, 2, 4]),), (torch.tensor([1.0, 3, 5]),)])
    assert [chunk.tolist() for chunk in two.results] == [[1, 5], [9]]
    ring = shipped("0A.3", "right_chunks")["ring_all_reduce"]
    sent = {(P, K): [SimWorld(K).run(ring, torch.zeros(P)).ledger.port(r)[0] // 4 for r in range(K)]
            for P, K in ((10, 3), (3, 5))}
    assert sorted(sent[10, 3]) == [13, 13, 14]
    assert sorted(sent[3, 5]) == [4, 4, 5, 5, 6]


def test_what_a_rank_may_send_is_what_the_ring_of_the_kit_sends_at_most():
    for P, K in itertools.product((1, 4, 10, 23), (2, 3, 5, 7)):
        halves = cost.ring_reduce_scatter(P, K)
        assert max(port.out_bytes for port in halves.ports) == 4 * (P - P // K)
        assert sum(port.out_bytes for port in halves.ports) == 4 * (K - 1) * P


def test_every_belief_of_the_reduce_scatter_is_told_from_every_other():
    job = lab0a_scatter.JOB
    trial = next(t for t in job.on(cases("0A.2")[0]) if t.K == 5 and t.exact and t.P > 10 and t.P % 5)
    made = {}
    for name, believed in {
            "0/mean-for-sum": lambda s, xs, K: torch.tensor_split(s / K, K),
            "0/remainder-dropped": lab0a_scatter._equal_chunks, "0/rest-at-the-end": lab0a_scatter._rest_at_the_end,
            "0/chunk-of-another": lab0a_scatter._shifted(1), "0/chunk-of-the-left": lab0a_scatter._shifted(-1),
            "0/whole-sum": lambda s, xs, K: [s] * K, "0/nothing-added": lab0a_scatter._own,
            "0/one-round-short": lab0a_scatter._short_of(1)}.items():
        made[name] = [chunk.tolist() for chunk in lab0a_scatter._wrong(believed)(trial)]
    right = [chunk.tolist() for chunk in trial.expected]
    for (one, first), (other, second) in itertools.combinations({"right": right, **made}.items(), 2):
        assert first != second, (one, other)


@pytest.mark.parametrize(("answer", "ratio"), [("wrong_whole_tensor_ring", 3.5), ("wrong_in_double", 2.0)])
def test_too_many_bytes_are_told_as_a_ratio(shipped, answer, ratio):
    found = verdict("0A.3", "bytes", shipped("0A.3", answer))
    assert not found.passed
    assert found.ratio in (2.5, ratio)                           # K/2: K = 5 comes before K = 7
    assert f"right sum, {found.ratio:.1f}x the traffic of the bound" in found.seen


def test_half_the_speed_is_told_as_a_ratio(shipped):
    found = verdict("0A.3", "seconds", shipped("0A.3", "wrong_take_turns"))
    assert (found.passed, found.misconception) == (False, "0/ranks-take-turns")
    assert found.ratio >= 2.0
