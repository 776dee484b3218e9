"""Lab 2: its references against other sources of the same truth, and the cases that students are asked."""

import itertools

import numpy as np
import pytest
import torch
from scipy.optimize import minimize_scalar

from pslab import exercises
from pslab.comm import Faults, SimWorld
from pslab.exercises import (
    lab2_handle,
    lab2_letters,
    lab2_once,
    lab2_quiz,
    lab2_ranges,
    lab2_requests,
    lab2_rows,
    lab2_rules,
    lab2_window,
)
from pslab.exercises.lab2_programs import State, bytes_in, numbers_in
from pslab.grade import Case, cases
from pslab.grade.box import Box, Source
from pslab.grade.judging import verdict_of

HIDDEN = {"2.1": ("other requests", "right_searched"), "2.2": ("other tables", "right_dict"),
          "2.3": ("other tables", "right_sorted"), "2.4": ("other ranges", "right_cut"),
          "2.6": ("other requests", "right_counter")}


def rng(seed=1):
    return np.random.default_rng(seed)


# ---- the table of the course ----------------------------------------------------------------------------------------


def test_points_minutes_and_core_are_those_of_the_course():
    table = {e.id: (e.points, e.minutes, e.core) for e in exercises.lab("2")}
    assert table == {"2.1": (20, 20, True), "2.2": (15, 20, True), "2.3": (20, 30, False), "2.4": (15, 20, True),
                     "2.5": (30, 30, True), "2.6": (15, 15, False), "2.7": (4, 5, False)}
    assert sum(minutes for _, minutes, core in table.values() if core) == 90
    assert all(len(e.hints) >= 2 for e in exercises.lab("2"))
    assert all("pslab.ps" in e.forbidden for e in exercises.lab("2") if e.kind == "code")


def test_the_notebook_tells_points_minutes_and_titles_as_they_are(repo_root):
    text = (repo_root / "solutions" / "src" / "lab_02_push_pull.py").read_text(encoding="utf-8")
    for e in exercises.lab("2"):
        core = "core" if e.core else "optional"
        assert f"# | {e.id} | {e.title} | {e.points} | {e.minutes} | {core} |" in text
        assert f"*{e.points} points · {e.minutes} minutes · {core}" in text
        assert f'check("{e.id}", {", ".join(e.names)})' in text
    lines = "\n".join(line.removeprefix("#").removeprefix(" ") for line in text.splitlines())
    assert lab2_quiz.markdown() in lines


@pytest.mark.parametrize("exercise", sorted(HIDDEN))
def test_a_right_answer_passes_whatever_the_student_s_seed(repo_root, exercise):
    name, answer = HIDDEN[exercise]
    folder = repo_root / "tests" / "answers" / "lab2" / f"ex_{exercise.replace('.', '_')}"
    e = exercises.get(exercise)
    criterion = next(c for c in e.criteria if c.name == name)
    with Box(Source.of_text((folder / f"{answer}.py").read_text())) as answers:
        for student in ("ann", "ben"):
            verdict = verdict_of(criterion, e, answers, cases(exercise, student, "a secret")[1], strict=True)
            assert verdict.passed, (student, verdict)


# ---- 2.1 ------------------------------------------------------------------------------------------------------------


def test_the_reference_serves_the_worked_example():
    requests = [{"kind": "push", "keys": [5, 3, 5], "vals": [[1.0], [2.0], [3.0]]},
                {"kind": "pull", "keys": [5, 3, 5], "vals": None}]
    zero = -(5 % 1_000_003 * 7_919) % 97                     # the seed with which key 5 begins as 0
    done = lab2_handle.served(requests, 1, zero)
    assert done["table"][5].tolist() == [16.0]
    assert done["replies"][1][[0, 2]].tolist() == [[16.0], [16.0]]
    assert list(done["table"]) == [3, 5]


def test_first_values_are_those_of_the_state_that_students_are_given():
    keys = torch.tensor([0, 7, 2**60 + 1, 1_000_004])
    for seed in (0, 41):
        state = State(3, seed)
        wanted = np.array([lab2_handle.initial(int(key), 3, seed) for key in keys])
        assert np.array_equal(state.initial(keys).numpy(), wanted)


@pytest.mark.parametrize("seed", range(3))
def test_every_slip_of_a_handler_shows_in_some_series(seed):
    makers = (lab2_requests.without_repeats, lab2_requests.with_repeats, lab2_requests.with_unknown)
    for slip in lab2_handle.SLIPS:
        differ = []
        for make in makers:
            requests = make(rng(seed), 3)
            right, wrong = (lab2_handle.served(requests, 3, seed, s) for s in ("", slip))
            differ.append(repr(right) != repr(wrong))
        assert any(differ), slip


# ---- 2.2, 2.3 -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("settings", lab2_rules.ADAGRAD_JUDGES.settings)
def test_the_reference_of_adagrad_is_torch_s(settings):
    p = lab2_rows.problem(rng(), **settings)
    table = torch.nn.Parameter(torch.from_numpy(p.table.copy()))
    optimizer = torch.optim.Adagrad([table], **settings)
    for keys, grads in p.pushes:
        table.grad = torch.zeros_like(table).index_add_(0, torch.from_numpy(keys), torch.from_numpy(grads))
        optimizer.step()
    assert len(p.pushes) == 100
    assert np.allclose(table.detach().numpy(), lab2_rows.after(p, "adagrad"), rtol=0, atol=1e-6)


@pytest.mark.parametrize("settings", [{"alpha": 0.3, "beta": 1.0, "l1": 0.6, "l2": 0.5}, {"alpha": 0.1, "l1": 0.2}])
def test_the_reference_of_ftrl_minimises_what_ftrl_is_named_for(settings):
    """w after t pushes minimises g·w + ½ Σ σ_s (w − w_s)² + l1 |w| + ½ (l2 + β/α) w², over the pushes s until then."""
    p = lab2_rows.problem(rng(2), R=1, D=1, steps=8, n=1, zero=True, **settings)
    alpha, beta = settings["alpha"], settings.get("beta", 1.0)
    g = [float(grads[0, 0]) for _, grads in p.pushes]
    w = [0.0, *(float(lab2_rows.after(lab2_rows.Problem(p.table, p.pushes[:t], p.settings), "ftrl")[0, 0])
                for t in range(1, 9))]
    n = np.cumsum([0.0, *np.square(g)])
    sigma = np.diff(np.sqrt(n)) / alpha
    for t in range(1, 9):
        def objective(x, t=t):
            near = sum(s * (x - at) ** 2 for s, at in zip(sigma[:t], w))
            ridge = (settings.get("l2", 0.0) + beta / alpha) * x * x
            return sum(g[:t]) * x + 0.5 * (near + ridge) + settings["l1"] * abs(x)
        best = minimize_scalar(objective, bounds=(-3, 3), method="bounded", options={"xatol": 1e-10}).x
        assert w[t] == pytest.approx(best, abs=1e-6), t
    assert any(x == 0 for x in w[1:]) or settings["l1"] < 0.5


def test_ftrl_without_penalties_is_descent_with_a_rate_for_each_number():
    p = lab2_rows.problem(rng(3), zero=True, alpha=0.3, beta=0.7)
    rows, n = p.table.astype(float), np.zeros_like(p.table, dtype=float)
    for keys, grads in p.pushes:
        for key in np.unique(keys):
            total = grads[keys == key].astype(float).sum(0)
            n[key] += total**2
            rows[key] -= 0.3 / (0.7 + np.sqrt(n[key])) * total
    assert np.allclose(rows, lab2_rows.after(p, "ftrl"), rtol=0, atol=1e-9)


@pytest.mark.parametrize("judges", [lab2_rules.ADAGRAD_JUDGES, lab2_rules.FTRL_JUDGES], ids=lambda j: j.rule)
def test_every_slip_of_a_rule_shows_ten_times_over(judges):
    problems = judges.problems(rng())
    for slip in lab2_rows.SLIPS[judges.rule]:
        apart = [np.abs(lab2_rows.after(p, judges.rule, slip) - lab2_rows.after(p, judges.rule)).max()
                 for p in problems]
        assert max(apart) > 10 * lab2_rules.SEEN_AT, slip


@pytest.mark.parametrize("rule", ["adagrad", "ftrl"])
def test_float32_stays_well_within_what_is_allowed(repo_root, rule):
    """A right answer in float32, on tables of the hidden sizes: half of the tolerance, so no seed refuses it."""
    names = {}
    folder = repo_root / "tests" / "answers" / "lab2" / {"adagrad": "ex_2_2", "ftrl": "ex_2_3"}[rule]
    exec((folder / "right_sorted.py").read_text(encoding="utf-8"), names)
    judges = {"adagrad": lab2_rules.ADAGRAD_JUDGES, "ftrl": lab2_rules.FTRL_JUDGES}[rule]
    for seed in range(6):
        for p in judges.problems(rng(seed), R=70, D=5, n=20):
            (rows, pushes), state = p.given(), {}
            for keys, grads in pushes:
                names[f"{rule}_rows"](rows, state, keys, grads, **p.settings)
            assert np.abs(rows.numpy() - lab2_rows.after(p, rule)).max() < lab2_rules.ATOL / 2


def test_what_a_state_holds_is_counted_whatever_it_is_made_of():
    assert bytes_in({3: torch.zeros(4), 5: (torch.zeros(2), 1.0)}) == 8 + 16 + 8 + 8 + 8
    assert bytes_in({"v": torch.zeros(100)[:2]}) == 8 + 400            # a view keeps all of it
    assert numbers_in({1: {2, 3}, (4, 5): [6]}) == 6
    assert numbers_in(1 << 640) == 11                                  # bits in one number are many numbers
    assert numbers_in([True, None, print]) == 0
    assert numbers_in(itertools.count()) == 0                           # it has no end
    assert numbers_in(type("Slots", (), {"__slots__": ("a", "b")})()) == 0


# ---- 2.4 ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_pieces_are_those_of_owners_key_by_key(seed):
    bounds, ranges = lab2_ranges.drawn(rng(seed))
    for lo, hi in ranges:
        owner = [(s, key) for key in range(lo, hi) for s in range(len(bounds) - 1)
                 if bounds[s] <= key < bounds[s + 1]]
        joined = [(s, key) for s, first, n in lab2_ranges.pieces(bounds, lo, hi) for key in range(first, first + n)]
        assert joined == owner
        assert len({s for s, *_ in lab2_ranges.pieces(bounds, lo, hi)}) == len(lab2_ranges.pieces(bounds, lo, hi))


# ---- 2.5 ------------------------------------------------------------------------------------------------------------


def all_streams(seed):
    case = Case(seed)
    return [*lab2_once.one_sender(case.rng), *lab2_once.several_senders(case.rng), *lab2_once.started_again(case.rng)]


@pytest.mark.parametrize("seed", range(3))
def test_a_stream_keeps_the_window_and_brings_everything(seed):
    window, pushes = 4, {(1, 0): 30, (1, 1): 10, (2, 0): 25}
    letters = lab2_letters.stream(rng(seed), pushes, window)
    seen = set()
    for sender, life, number, _, _ in letters:
        if (sender, life, number) not in seen:
            missing = min(n for n in range(number + 1) if (sender, life, n) not in seen)
            assert number < missing + window
        seen.add((sender, life, number))
    assert seen == {(*who, number) for who, count in pushes.items() for number in range(count)}
    assert len(letters) > len(seen)
    overtaken = [b[2] < a[2] for a, b in zip(letters, letters[1:]) if a[:2] == b[:2]]
    assert any(overtaken)


def test_every_slip_of_exactly_once_shows_in_some_stream():
    streams = all_streams(5)
    for slip in lab2_letters.SLIPS:
        assert any(not np.array_equal(lab2_letters.rows_after(s, 5), lab2_letters.rows_after(s, 5, slip))
                   for s in streams), slip


def test_ten_thousand_pushes_come_in_more_letters_than_that():
    letters = lab2_once.many_letters(Case(1))
    assert len({letter[:3] for letter in letters}) == 10_000 < len(letters)


def test_the_networks_of_the_runs_are_bad_ones():
    def letters(comm):
        if comm.rank == 0:
            came = []
            while (letter := comm.poll(1.0)) is not None:
                came.append(letter.meta["q"])
            return came
        for q in range(200):
            comm.post(0, "push", {"q": q})
            comm.sleep(1e-3)
        return None

    faults = Faults(3, drop=0.25, duplicate=0.25, reorder_s=0.02, delay_s=0.01)
    came = SimWorld(2, link=lab2_once.LINK, faults=faults).run(letters).results[0]
    assert len(set(came)) < 180
    assert len(came) > len(set(came))
    assert came != sorted(came)


# ---- 2.6 ------------------------------------------------------------------------------------------------------------


def test_the_reference_s_window_takes_the_round_trips_that_it_must():
    for size, n in ((1, 4), (3, 10), (5, 12)):
        steps = lab2_window.simulated(size, lab2_window.ask_all(n, range(n)), lab2_window.AT_ONCE, 1)
        assert steps[-1][1] == pytest.approx(-(-n // size) * lab2_window.ROUND_TRIP_S, rel=1e-3)
        assert [value.item() for value, _ in steps[n:]] == [10.0 * (3 * i + 1) for i in range(n)]


@pytest.mark.long
def test_every_slip_of_a_window_shows_in_some_script():
    scripts = [*lab2_window.scrambled(rng()), *lab2_window.uneven(rng())]
    for slip in lab2_window.SLIPS:
        assert any(lab2_window._different(script, lab2_window._tried(size, script, orders, servers, slip),
                                          lab2_window.simulated(size, script, orders, servers))
                   for size, script, orders, servers, _ in scripts), slip
