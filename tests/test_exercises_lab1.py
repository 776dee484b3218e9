"""Lab 1: references against what is independent of them, beliefs that differ, judges that name what they see."""

import json
import re

import numpy as np
import pytest
import torch
from direct_answers import Direct

from pslab import cost, exercises
from pslab.exercises import (
    lab1_history,
    lab1_keys,
    lab1_ports,
    lab1_programs,
    lab1_replicas,
    lab1_scaling,
)
from pslab.grade import cases
from pslab.grade.judging import judge, verdict_of

LAB = ("1.1", "1.2", "1.3", "1.4", "1.5")
CODE = LAB[:4]
BY_REFERENCE = {"1.1": "right_formulas", "1.2": "right_counting", "1.3": "right_two_times", "1.4": "right_arrays"}


class Here(Direct):
    """Asked in this process: what other processes say is held by the kill matrix."""

    def restart(self, hash_seed=None):
        pass

    def run(self, name, world_size, *args, within=None, **_):
        class Run:
            results = (within(self.functions[name], None, *args),)
        return Run


@pytest.fixture(scope="module")
def shipped(repo_root):
    """shipped("1.1") -> the functions of a right answer, or of the one named."""
    def load(exercise, name=None):
        folder = repo_root / "tests" / "answers" / "lab1" / f"ex_{exercise.replace('.', '_')}"
        namespace = {}
        exec((folder / f"{name or BY_REFERENCE[exercise]}.py").read_text(encoding="utf-8"), namespace)
        return namespace
    return load


def rng_of(seed):
    return np.random.default_rng(seed)


def told(exercise, criterion, functions, student="anna"):
    found = next(c for c in exercises.get(exercise).criteria if c.name == criterion)
    public, hidden = cases(exercise, student, "s")
    return verdict_of(found, exercises.get(exercise), Here(functions), hidden if found.hidden else public, strict=True)


# ---- the lab as a whole ---------------------------------------------------------------------------------------------


def test_minutes_points_difficulty_and_core_are_those_of_the_course_s_table():
    lab = exercises.lab("1")
    assert tuple(e.id for e in lab) == LAB
    assert [e.minutes for e in lab] == [10, 20, 10, 15, 5]
    assert [e.points for e in lab] == [10, 20, 10, 15, 1]
    assert {e.difficulty for e in lab} == {1}
    assert sum(e.minutes for e in lab if e.core) < 45
    assert sum(e.minutes for e in lab) <= 60


def test_every_coding_exercise_has_a_hidden_check_three_hints_and_bars_the_rooms_that_would_be_the_answer():
    for e in exercises.lab("1")[:4]:
        assert e.hidden == 1
        assert len(e.hints) == 3
        assert "pslab.ps" in e.forbidden
    assert all("pslab.cost" in exercises.get(name).forbidden for name in ("1.1", "1.3", "1.4"))


@pytest.mark.parametrize("student", ["anna", pytest.param("boris", marks=pytest.mark.long)])
@pytest.mark.parametrize("exercise", CODE)
def test_right_answers_pass_whatever_the_student_s_seed(shipped, exercise, student):
    report = judge(exercises.get(exercise), Here(shipped(exercise)), *cases(exercise, student, "s"), strict=True)
    assert report.score == report.points == exercises.get(exercise).points


# ---- 1.1 ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("question", [*lab1_ports.PRINTED, *lab1_ports.questions(rng_of(0), 8)])
def test_the_four_figures_are_those_of_the_kit(question):
    K, S, P, overlap = question
    assert lab1_ports.busiest_link(*question) == {
        "ring": cost.ring_all_reduce(P, K).busiest, "one server": cost.parameter_server(P, K).busiest,
        "servers": cost.parameter_server(P, K, S).busiest, "beside": cost.colocated_servers(P, K, min(S, K)).busiest}
    one_s = cost.server_step_s(P, K, 1, 0.0, 1e9, overlap)
    assert lab1_ports.times_slower(K, overlap) == pytest.approx(one_s / cost.ring_all_reduce(P, K).seconds(0.0, 1e9))


@pytest.mark.parametrize(("K", "S", "P"), [(2, 1, 2), (3, 5, 15), (5, 4, 20)])
def test_bytes_of_the_four_runs_are_counted(K, S, P):
    assert lab1_ports.counted(K, S, P)[0] == lab1_ports.busiest_link(K, S, P, 0.0)


def test_both_printed_ratios_are_asked():
    assert lab1_ports.times_slower(8, 0.0) == pytest.approx(64 / 7)
    assert lab1_ports.times_slower(8, 1.0) == pytest.approx(64 / 14)


def test_beliefs_about_ports_are_told_apart_by_the_printed_settings():
    answers = {name: str([rule(*question) for question in lab1_ports.PRINTED])
               for name, rule in lab1_ports.BELIEFS.items()}
    answers["right"] = str([lab1_ports.busiest_link(*question) for question in lab1_ports.PRINTED])
    assert len(set(answers.values())) == len(answers)


@pytest.mark.parametrize("said", [None, {"ring": 1}, {name: 1.0 for name in lab1_ports.NAMES},
                                  {name: True for name in lab1_ports.NAMES}])
@pytest.mark.parametrize("criterion", ["printed settings", "counted in runs"])
def test_what_is_no_four_whole_numbers_is_told(criterion, said):
    verdict = told("1.1", criterion, {"busiest_link": lambda *_: said})
    assert verdict.misconception == "all/bad-value"


def test_a_belief_is_named_in_runs_too():
    believed = lab1_ports.BELIEFS["1/servers-always-help"]
    verdict = told("1.1", "counted in runs", {"busiest_link": believed})
    assert (verdict.misconception, verdict.run is None) == ("1/servers-always-help", False)


# ---- 1.2 ------------------------------------------------------------------------------------------------------------


def test_the_models_hold_the_cases_that_matter():
    models = {name: lab1_programs.model_of(layers, 3) for name, layers in lab1_keys.MODELS.items()}
    every = [p for model in models.values() for p in model.parameters()]
    assert any(not p.requires_grad for p in every)
    assert any(p.ndim == 0 for p in every)
    assert any(not p.is_contiguous() for p in every)
    assert lab1_programs._ties(models["a tied weight"]) == 1
    numbers = torch.cat([p.detach().reshape(-1) for p in every])
    assert torch.isinf(numbers).any()
    assert ((numbers == 0) & torch.signbit(numbers)).any()
    assert ((numbers != 0) & (numbers.abs() < 1.1e-38)).any()


def test_two_seeds_give_the_same_layers_and_other_numbers():
    one, other = (lab1_programs.tensors_of(lab1_programs.model_of(lab1_keys.MODELS["equal shapes"], seed))
                  for seed in (1, 2))
    assert {name: len(bits) for name, bits in one.items()} == {name: len(bits) for name, bits in other.items()}
    assert not any(torch.equal(one[name], other[name]) for name in one)


def test_a_pull_across_two_ranges_or_backwards_is_missing(shipped):
    layers = lab1_keys.MODELS["two layers"]
    stored = lab1_programs.taken(shipped("1.2")["as_key_values"], None, layers, 1)["pairs"]
    for begin, end in ((40, 60), (5, 3), (-1, 2)):
        back = lab1_programs.filled(lambda model, pull, a=begin, b=end: pull(a, b), None, layers, 2, stored)
        assert back["missing"] == [f"pull({begin}, {end})"]


def test_keys_that_depend_on_the_weights_are_seen(shipped):
    functions = shipped("1.2")

    def shifted(model):
        by = int(next(model.parameters()).detach().reshape(-1)[0].view(torch.int32)) << 20
        return {first + by: values for first, values in functions["as_key_values"](model).items()}
    verdict = told("1.2", "the same in every process", {**functions, "as_key_values": shifted})
    assert verdict.misconception == "1/keys-of-this-process"


# ---- 1.3 ------------------------------------------------------------------------------------------------------------


def test_scaling_is_that_of_the_kit():
    for times, weak in lab1_scaling.scalings(rng_of(0), 10):
        kit = (cost.weak_scaling if weak else cost.strong_scaling)(times)
        assert lab1_scaling.speedup_and_efficiency(times, weak) == {K: pytest.approx(kit[K]) for K in times}


def test_the_fraction_is_the_one_that_was_put_in_and_the_kit_s():
    assert lab1_scaling.serial_fraction(lab1_scaling.EXAMPLE) == pytest.approx(0.125)
    assert lab1_scaling.serial_fraction(lab1_scaling.amdahl(3.0, 0.2, (7, 3, 90))) == pytest.approx(0.2, rel=1e-9)
    asked = lab1_scaling.fits(rng_of(1), 12)
    assert {1 in times for times, in asked} == {True, False}
    for times, in asked:
        assert cost.fit_amdahl(times).serial_fraction == pytest.approx(lab1_scaling.serial_fraction(times), rel=1e-6)


def test_beliefs_about_scaling_are_told_apart():
    for beliefs, asked, right in (
            (lab1_scaling.BELIEFS, [lab1_scaling._STRONG, lab1_scaling._WEAK], lab1_scaling.speedup_and_efficiency),
            (lab1_scaling.FIT_BELIEFS, lab1_scaling.fits(rng_of(2), 4), lab1_scaling.serial_fraction)):
        answers = {name: str([rule(*question) for question in asked]) for name, rule in beliefs.items()}
        answers["right"] = str([right(*question) for question in asked])
        assert len(set(answers.values())) == len(answers)


# ---- 1.4 ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
def test_traces_are_complete_in_order_and_of_their_kind(seed):
    for mode, every in (("together", 1), ("alone", 1), ("rarely", 3)):
        trace = lab1_replicas.replicas(rng_of(seed), mode, 4, 9, 2, every)
        assert sorted((t, worker) for _, worker, t, _ in trace) == [(t, k) for t in range(9) for k in range(4)]
        assert [at for at, *_ in trace] == sorted(at for at, *_ in trace)
        singles = [single for single, _ in lab1_replicas.where_is_w(trace)]
        assert all(single == (t % every == 0) for t, single in enumerate(singles)) or mode == "alone"
    alone = lab1_replicas.where_is_w(lab1_replicas.replicas(rng_of(seed), "alone", 4, 9, 2))
    assert alone[0] == (True, 0.0)
    assert all(distance > 0 for _, distance in alone[1:])


def test_alone_the_server_has_added_every_push_before_a_pull():
    seconds, updates = np.array([[2.0, 2.0], [3.0, 3.0]]), np.array([[[1], [1]], [[10], [10]]])
    trace = lab1_replicas._alone(seconds, updates, np.array([0]))
    assert trace == [[0.0, 0, 0, [0.0]], [0.0, 1, 0, [0.0]], [2.0, 0, 1, [1.0]], [3.0, 1, 1, [11.0]]]


def test_beliefs_about_copies_are_told_apart():
    public, _ = cases("1.4", "anna", "s")
    traces = [lab1_replicas.BY_HAND, *lab1_replicas.alone(public.of("asynchronous")).values()]
    answers = {name: str([rule(trace) for trace in traces]) for name, rule in lab1_replicas.BELIEFS.items()}
    answers["right"] = str([lab1_replicas.where_is_w(trace) for trace in traces])
    assert len(set(answers.values())) == len(answers)


@pytest.mark.parametrize("said", [None, [], [(True,)] * 3, [(1, 0.0)] * 3, [(True, None)] * 3, [(True, True)] * 3])
def test_what_is_no_row_of_pairs_is_told(said):
    assert told("1.4", "a trace by hand", {"where_is_w": lambda _: said}).misconception == "all/bad-value"


# ---- 1.5 ------------------------------------------------------------------------------------------------------------


def matrix(**changes):
    return {system: {**dict(zip(lab1_history.PROPERTIES, row)), **changes.get(system, {})}
            for system, row in lab1_history.MATRIX.items()}


def test_a_random_half_is_asked_and_differs_between_seeds():
    halves = [tuple(lab1_history.half(rng_of(seed))) for seed in range(20)]
    assert {len(half) for half in halves} == {len(lab1_history.cells()) // 2}
    assert len(set(halves)) > 15
    assert {cell for half in halves for cell in half} == set(lab1_history.cells())


def test_the_matrix_passes_and_each_wrong_cell_of_the_half_is_told_its_sentence():
    assert told("1.5", "a random half", {"generations": matrix}).passed
    public, _ = cases("1.5", "anna", "s")
    for system, name, has in lab1_history.half(public.of("a random half").rng):
        turned = {system: {name: not has}}
        verdict = told("1.5", "a random half", {"generations": lambda turned=turned: matrix(**turned)})
        assert verdict.misconception == f"1/{name}-{'missed' if has else 'too-early'}"
        empty = told("1.5", "a random half", {"generations": lambda s=system, n=name: matrix(**{s: {n: None}})})
        assert empty.misconception == "all/unpicked"
    assert told("1.5", "a random half", {"generations": list}).misconception == "all/bad-value"


# ---- the notebook ---------------------------------------------------------------------------------------------------


def cells(repo_root, folder):
    stored = json.loads((repo_root / folder / "lab_01_why.ipynb").read_text(encoding="utf-8"))
    return [cell for cell in stored["cells"] if cell["cell_type"] == "code"]


def test_the_notebook_s_trace_is_the_grader_s(repo_root):
    texts = ("".join(cell["source"]) for cell in cells(repo_root, "labs"))
    text, = (text for text in texts if text.startswith("trace ="))
    names = {}
    exec(text.partition("\nfor ")[0], names)
    assert [list(event) for event in names["trace"]] == lab1_replicas.BY_HAND


def test_what_a_prediction_is_about_is_not_shown_in_the_students_copy(repo_root):
    shown = [cell for cell in cells(repo_root, "labs")
             if re.search(r"^_ = reveal\(", "".join(cell["source"]), re.MULTILINE)]
    assert len(shown) == 2
    assert not any(cell["outputs"] for cell in shown)


def test_an_untouched_lab_says_not_yet(repo_root):
    checks = [cell for cell in cells(repo_root, "labs") if "check" in cell["metadata"].get("pslab", {})]
    said = ["".join(line for out in cell["outputs"] for line in out.get("text", "")).strip() for cell in checks]
    assert said[:4] == [f"{exercise}: not yet" for exercise in CODE]
    assert "nothing is chosen" in said[4].lower() or "not yet" in said[4] or "no answer" in said[4].lower()
