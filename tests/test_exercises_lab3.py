"""Lab 3: references against what is independent of them, beliefs that differ, judges that name what they see."""

import itertools
import json
import math
import re

import numpy as np
import pytest
import torch
from direct_answers import Direct
from scipy import stats

from pslab import cost, exercises
from pslab.comm import SimWorld
from pslab.exercises import lab3_hot, lab3_movement, lab3_owner_checks, lab3_servers, lab3_split
from pslab.exercises.lab3_common import SENTENCES, whole_numbers, zipf
from pslab.grade import cases
from pslab.grade.judging import judge, verdict_of

LAB = ("3.1", "3.2", "3.3", "3.4", "3.5")
BY_REFERENCE = {"3.1": "right_numpy", "3.2": "right_masks", "3.3": "right_pairs", "3.4": "right_in_turn",
                "3.5": "right_count_up"}


class Here(Direct):
    """Asked in this process, which has one PYTHONHASHSEED: what other processes say is held by the kill matrix."""

    def restart(self, hash_seed=None):
        pass


@pytest.fixture(scope="module")
def shipped(repo_root):
    """shipped("3.1") -> the functions of a right answer, or of the one named."""
    def load(exercise, name=None):
        folder = repo_root / "tests" / "answers" / "lab3" / f"ex_{exercise.replace('.', '_')}"
        namespace = {}
        exec((folder / f"{name or BY_REFERENCE[exercise]}.py").read_text(encoding="utf-8"), namespace)
        return namespace
    return load


def rng_of(seed):
    return np.random.default_rng(seed)


def told(exercise, criterion, functions):
    found = next(c for c in exercises.get(exercise).criteria if c.name == criterion)
    public, hidden = cases(exercise, "anna", "s")
    return verdict_of(found, exercises.get(exercise), Here(functions), hidden if found.hidden else public, strict=True)


# ---- the lab as a whole ---------------------------------------------------------------------------------------------


def test_minutes_points_difficulty_and_core_are_those_of_the_course_s_table():
    lab = exercises.lab("3")
    assert tuple(e.id for e in lab) == LAB
    assert [e.minutes for e in lab] == [30, 25, 20, 20, 10]
    assert [e.points for e in lab] == [30, 25, 20, 20, 10]
    assert max(e.difficulty for e in lab) == 2
    assert sum(e.minutes for e in lab if e.core) < 75
    assert sum(e.minutes for e in lab) < 120


def test_every_exercise_has_a_hidden_check_three_hints_and_bars_the_rooms_that_would_be_the_answer():
    for e in exercises.lab("3"):
        assert e.hidden == 1
        assert len(e.hints) == 3
        assert {"pslab.ps", "pslab.cost"} <= set(e.forbidden)
        for m in e.misconceptions:
            assert SENTENCES.get(m.id, m.sentence) == m.sentence


@pytest.mark.parametrize("student", ["anna", pytest.param("boris", marks=pytest.mark.long),
                                     pytest.param("cleo", marks=pytest.mark.long)])
@pytest.mark.parametrize("exercise", LAB)
def test_right_answers_pass_whatever_the_student_s_seed(shipped, exercise, student):
    report = judge(exercises.get(exercise), Here(shipped(exercise)), *cases(exercise, student, "s"), strict=True)
    assert report.passed, report.first_failure


# ---- 3.1 ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("freedom", [1, 7, 9, 28])
def test_a_good_hash_exceeds_the_limit_at_most_once_in_a_thousand_million_times(freedom):
    chance = stats.chi2.sf(lab3_owner_checks.chi_squared_limit(freedom), freedom)
    assert 1e-12 < chance < 1e-9


def test_ranges_may_be_cut_in_any_even_way(shipped):
    ways = {"torch": lambda keys, R, S: np.repeat(np.arange(S), [len(p) for p in torch.tensor_split(torch.arange(R), S)]
                                                  )[np.asarray(keys)],
            "longer ones last": shipped("3.1", "right_highest_weight")["range_owner"],
            "proportional": shipped("3.1", "right_hashlib_bisect")["range_owner"]}
    for name, way in ways.items():
        verdict = lab3_owner_checks.ranges(lambda rng: [(10, 3), (3, 8), (100, 7), (0, 2)])(
            Here({"range_owner": way}), cases("3.1")[0])
        assert verdict.passed, (name, verdict)


@pytest.mark.parametrize(("cut", "why"), [([2**40 // 3 + 2, 2 * (2**40 // 3)], "3/uneven-ranges"),
                                          ([2**39, 2**39 + 5], "3/uneven-ranges")])
def test_a_long_table_is_judged_at_its_cuts(cut, why):
    answers = Here({"range_owner": lambda keys, R, S: np.searchsorted(cut, keys, side="right")})
    verdict = lab3_owner_checks.ranges(lambda rng: [(2**40, 3)])(answers, cases("3.1")[0])
    assert (verdict.passed, verdict.misconception) == (False, why)


def test_the_contract_s_numbers_of_balance_and_movement(shipped):
    """One point: 2.1 to 4.5 times the mean; 128: 1.08 to 1.22; a remainder moves 91 % from 10 to 11, a ring 9 %."""
    own = shipped("3.1")
    keys = np.arange(100_000)

    def busiest(servers, points):
        owners = own["ring_owner"](keys, servers, points)
        return max((owners == server).mean() for server in servers) * len(servers)
    sets = [list(range(first, first + 10)) for first in range(0, 60, 10)]
    one, many = ([busiest(servers, points) for servers in sets] for points in (1, 128))
    assert 2.1 < np.median(one) < 4.5
    assert 1.05 < np.median(many) < 1.25
    assert np.mean(own["hash_owner"](keys, 10) != own["hash_owner"](keys, 11)) == pytest.approx(10 / 11, abs=0.01)
    assert np.mean(own["ring_owner"](keys, range(10)) != own["ring_owner"](keys, range(11))) == pytest.approx(1 / 11,
                                                                                                            rel=0.35)


@pytest.mark.parametrize("value", [[0.0, 1.0], [[0, 1]], None, "01", [0, True], [2**63, 0]])
def test_what_is_no_row_of_whole_numbers_is_none(value):
    assert whole_numbers(value) is None


def test_whole_numbers_of_any_kind_are_read():
    for value in ([3, 2**62], (3, 2**62), np.array([3, 2**62]), torch.tensor([3, 2**62])):
        assert whole_numbers(value).tolist() == [3, 2**62]


# ---- 3.2 ------------------------------------------------------------------------------------------------------------


def test_requests_hold_the_cases_that_matter():
    asked = lab3_split.requests(rng_of(0))
    assert any(len(keys) == 0 for keys, _ in asked.values())
    assert any(len(np.unique(keys)) < len(keys) for keys, _ in asked.values())
    assert any(keys.max(initial=0) > 2**53 for keys, _ in asked.values())
    assert any(len(np.unique(owners)) < owners.max(initial=0) for _, owners in asked.values())
    for keys, owners in asked.values():
        by_key = dict(zip(keys.tolist(), owners.tolist()))
        assert [by_key[key] for key in keys.tolist()] == owners.tolist(), "a key has one owner"


@pytest.mark.parametrize("name", ["right_masks", "right_each_key_once"])
def test_the_wire_shows_messages_and_bytes_between_both_bounds(shipped, name):
    functions = shipped("3.2", name)
    verdict = told("3.2", "messages and bytes", functions)
    asked = {label: pair for label, pair in lab3_split.requests(cases("3.2")[0].of("messages and bytes").rng).items()
             if label.startswith("8 keys")}
    (keys, owners), = asked.values()
    named = sum(len(part) for part in functions["split"](keys, owners).values())
    ledger = verdict.run.ledger
    S = verdict.run.ledger.world_size - 1
    assert named == (len(keys) if name == "right_masks" else len(np.unique(keys)))
    assert ledger.port(S) == (8 * named, 4 * lab3_split.D * named)
    assert ledger.messages(src=S) == len(np.unique(owners))


@pytest.mark.parametrize("server", [-1, 10**9])
def test_an_empty_request_to_a_server_far_away_is_told_without_a_run_of_that_size(shipped, server):
    functions = shipped("3.2", "right_masks")

    def split(keys, owners):
        return {**functions["split"](keys, owners), server: keys[:0]}
    verdict = told("3.2", "messages and bytes", {**functions, "split": split})
    assert (verdict.passed, verdict.misconception) == (False, "3/empty-request")


# ---- 3.3 ------------------------------------------------------------------------------------------------------------


def test_no_plan_is_shorter_than_the_reference_s():
    for _, old, new in itertools.chain(*(lab3_movement.changes(rng_of(seed)) for seed in range(5))):
        plan = lab3_movement.plan_of(old, new)
        before, after = lab3_movement.owners(old), lab3_movement.owners(new)
        assert lab3_movement.apply(plan, old, new, "") is None
        assert sum(b - a for *_, a, b in plan) == (before != after).sum()
        pairs = {(int(s), int(t)) for s, t in zip(before, after) if s != t}
        assert {(s, t) for s, t, *_ in plan} == pairs
        assert len(plan) == len(pairs)


def test_applying_finds_what_is_not_there_and_what_stays_behind():
    old, new = [0, 4, 8, 12], [0, 3, 6, 9, 12]
    right = lab3_movement.plan_of(old, new)
    assert right == [(0, 1, 3, 4), (1, 2, 6, 8), (2, 3, 9, 12)]
    spoiled = {"3/rows-left-behind": right[:-1], "3/row-moved-twice": [*right, right[0]],
               "3/range-off-by-one": [*right[:-1], (2, 3, 9, 11)], "3/not-the-owners-rows": [(2, 3, 0, 2)],
               "3/wrong-direction": [(t, s, a, b) for s, t, a, b in right]}
    for why, plan in spoiled.items():
        assert lab3_movement.apply(plan, old, new, "").misconception == why


def test_a_plan_of_a_long_table_is_told_what_is_wrong_with_it():
    case = cases("3.3", "anna", "s")[0].of("a table of 10^12 rows")
    R = lab3_movement.LONG + int(case.rng.integers(100))
    right = lab3_movement.plan_of(lab3_movement.even(R, 10), lab3_movement.even(R, 11))
    s, t, a, b = right[0]
    spoiled = {"3/wrong-direction": [(t, s, a, b) for s, t, a, b in right], "3/rows-left-behind": right[1:],
               "3/range-off-by-one": [(s, t, a, b - 1), *right[1:]], "3/moves-what-stays": [(0, 0, 0, 9), *right],
               "3/by-a-third": [*right, (5, 6, 0, 9)], "3/row-by-row": [(s, t, a, a + 1), (s, t, a + 1, b), *right[1:]]}
    for why, plan in spoiled.items():
        verdict = told("3.3", "a table of 10^12 rows", {"movement_plan": lambda *_, plan=plan: plan})
        assert (verdict.passed, verdict.misconception) == (False, why)


def test_a_plan_with_an_end_of_any_size_is_refused_at_once():
    for plan in ([(0, 1, 0, 2**62)], [(0, 1, 3, 4), (1, 2, 2**61, 2**62)], np.array([[0, 1, -5, 2**62]])):
        verdict = told("3.3", "every row at its new owner", {"movement_plan": lambda *_, plan=plan: plan})
        assert (verdict.passed, verdict.misconception) == (False, "3/not-the-owners-rows")


# ---- 3.4 ------------------------------------------------------------------------------------------------------------


def test_a_zipf_stream_has_the_shares_of_its_exponent():
    counts = np.sort(np.bincount(zipf(rng_of(0), 1_000, 200_000)))[::-1]
    share = np.arange(1, 1_001) ** -1.1
    assert counts[:4] / 200_000 == pytest.approx(share[:4] / share.sum(), rel=0.03)


@pytest.mark.parametrize("seed", range(4))
def test_the_bound_of_load_separates_copies_used_from_copies_unused(shipped, seed):
    store = lab3_hot.Store(rng_of(seed))
    used = np.concatenate([shipped("3.4")["route_reads"](*store.question(keys)) for keys in store.batches])
    mean = len(store.stream) / lab3_hot.S
    alone, spread = (np.bincount(servers, minlength=lab3_hot.S).max() / mean
                     for servers in (store.owner[store.stream], used))
    assert alone > 1.6
    assert spread < 1.3


def test_sums_of_writes_name_what_is_missing_and_what_is_too_much():
    store = lab3_hot.Store(rng_of(0))
    hot = int(store.hot[0])
    cold = int(np.setdiff1d(np.arange(20), store.hot)[0])
    owner, keys = int(store.owner[cold]), np.array([hot, cold, hot])
    right = {s: np.flatnonzero((keys == hot) | ((keys == cold) & (s == owner))) for s in range(lab3_hot.S)}
    assert lab3_hot._sums(store, keys, right, "") is None
    other = (owner + 1) % lab3_hot.S
    spoiled = {"3/one-replica": {**right, other: right[other][:0]}, "3/cold-everywhere": {**right, other: np.arange(3)},
               "3/write-lost": {**right, owner: np.array([0, 2])},
               "3/applied-twice": {**right, owner: np.array([0, 0, 1, 2])},
               "3/duplicates-dropped": {**right, other: np.array([0])}}
    for why, routes in spoiled.items():
        assert lab3_hot._sums(store, keys, routes, "").misconception == why


# ---- 3.5 ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("K", "S"), [(2, 1), (5, 2), (5, 5), (12, 7)])
def test_a_simulated_step_takes_what_formula_and_kit_say(K, S):
    question = K, 25_000_000, 12.5e9, 0.05
    formula_s = lab3_servers.step_s(*question, S)
    assert lab3_servers.simulated(*question, S).seconds == pytest.approx(formula_s, rel=1e-3)
    assert 0.05 + cost.server_step_s(25_000_000, K, S, 0.0, 12.5e9) == pytest.approx(formula_s, rel=1e-6)


def test_questions_are_clear_cut_and_tell_beliefs_apart():
    asked = [*lab3_servers._PRINTED, *lab3_servers.questions(rng_of(0), 40)]
    assert all(lab3_servers.clear_cut(*question) for question in asked)
    answers = {name: [rule(*question) for question in asked] for name, rule in lab3_servers.BELIEFS.items()}
    answers["right"] = [lab3_servers.how_many_servers(*question) for question in asked]
    assert len({tuple(values) for values in answers.values()}) == len(answers)
    assert len({tuple(values[:4]) for values in answers.values()}) == len(answers), "told apart by the printed ones"
    assert min(answers["right"]) == 1
    assert any(1 < S < K for (K, *_), S in zip(asked, answers["right"]))


@pytest.mark.parametrize(("K", "per_rack"), [(6, 3), (8, 2), (4, 4), (3, 1)])
def test_bytes_out_of_racks_are_counted(K, per_rack):
    counted, run = lab3_servers.counted_uplinks(K, per_rack, 11)
    assert counted == lab3_servers.uplink_bytes(K, 11, per_rack)
    assert counted[0] == per_rack * counted[1]
    assert run.results[K] == 11 * K, "all gradients arrive"


@pytest.mark.parametrize("said", [None, 2.5, True, 0, "3"])
def test_what_is_no_number_of_servers_is_told(said):
    verdict = told("3.5", "simulated on either side", {"how_many_servers": lambda *_: said})
    assert verdict.misconception == "all/bad-value"


@pytest.mark.parametrize("said", [None, (None, None), ("a", "b"), 3.0, np.float64(3), np.zeros((3, 3)), [True, 1]])
def test_what_is_no_pair_of_bytes_is_told(said):
    assert told("3.5", "racks", {"uplink_bytes": lambda *_: said}).misconception == "all/bad-value"


# ---- the notebook ---------------------------------------------------------------------------------------------------


def cells(repo_root, folder):
    stored = json.loads((repo_root / folder / "lab_03_sharding.ipynb").read_text(encoding="utf-8"))
    return [cell for cell in stored["cells"] if cell["cell_type"] == "code"]


def test_the_notebook_s_step_is_the_grader_s(repo_root):
    names = {"np": np}
    text, = ("".join(cell["source"]) for cell in cells(repo_root, "solutions") if "def step(comm" in
             "".join(cell["source"]))
    exec(text.partition("\n\nrun = ")[0], names)
    for K, S in ((3, 2), (4, 4)):
        runs = [SimWorld(K + S).run(program, K, S, 24, 1e-3)
                for program in (names["step"], lab3_servers.step)]
        assert math.isclose(*(run.seconds for run in runs))
        assert runs[0].ledger.total() == runs[1].ledger.total() == 2 * K * 24 * 4


def test_what_a_prediction_is_about_is_not_shown_in_the_students_copy(repo_root):
    shown = [cell for cell in cells(repo_root, "labs")
             if re.search(r"^_ = reveal\(", "".join(cell["source"]), re.MULTILINE)]
    assert len(shown) == 2
    assert not any(cell["outputs"] for cell in shown)


def test_an_untouched_lab_says_not_yet(repo_root):
    checks = [cell for cell in cells(repo_root, "labs") if "check" in cell["metadata"].get("pslab", {})]
    said = ["".join(line for out in cell["outputs"] for line in out.get("text", "")).strip() for cell in checks]
    assert said == [f"{exercise}: not yet" for exercise in LAB]
