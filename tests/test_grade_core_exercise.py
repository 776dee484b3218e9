"""Exercises, verdicts, cases and the registry: what may not be built, and what follows from a seed."""

import pytest
from grade_toys import MISCONCEPTIONS, exercise

import pslab.exercises
from pslab.grade import Case, CourseError, Criterion, Misconception, Verdict, cases, hidden_seed, public_seed, seed_id

GOLDEN = {"public": 8768337297172165834, "hidden": 5092426569841700833, "unicode": 6607689258529596249,
          "drawn": [768, 622, 658, 671, 490]}


def passing(answers, case):
    return Verdict(True)


@pytest.mark.parametrize(("changes", "said"), [
    ({"id": "9.1"}, "the lab's and a number"),
    ({"id": "8.one"}, "the lab's and a number"),
    ({"lab": "eight", "id": "8.1"}, "lab='eight'"),
    ({"kind": "essay"}, "kind='essay'"),
    ({"title": " "}, "title is empty"),
    ({"goal": ""}, "goal is empty"),
    ({"names": ()}, "names="),
    ({"names": ("f", "f")}, "names="),
    ({"names": ("not a name",)}, "names="),
    ({"hints": ()}, "a hint is missing"),
    ({"hints": ("one", " ")}, "a hint is missing"),
    ({"minutes": 0}, "minutes=0"),
    ({"difficulty": 6}, "difficulty=6"),
    ({"prerequisites": ("8.1",)}, "prerequisite '8.1'"),
    ({"prerequisites": ("lab nine",)}, "prerequisite 'lab nine'"),
    ({"criteria": ()}, "no criterion"),
    ({"criteria": (Criterion("a", passing, 5), Criterion("a", passing, 5))}, "'a' is there twice"),
    ({"misconceptions": (MISCONCEPTIONS[0], MISCONCEPTIONS[0])}, "'8/mean' is there twice"),
    ({"misconceptions": ()}, "names no misconception"),
    ({"misconceptions": (Misconception("9/mean", "No."),)}, "'9/mean' is of another lab"),
    ({"points": 9}, "worth 10 points, the exercise 9"),
])
def test_an_exercise_that_would_leave_a_student_without_something_is_refused(changes, said):
    with pytest.raises(CourseError, match=said):
        exercise(**changes)


def test_parts_refuse_what_breaks_their_rules():
    with pytest.raises(CourseError, match="names no misconception"):
        Verdict(False, "4", "5")
    for sentence in ("", "two\nlines"):
        with pytest.raises(CourseError, match="one sentence"):
            Misconception("8/x", sentence)
    with pytest.raises(CourseError, match="LAB/words-with-dashes"):
        Misconception("mean", "A sentence.")
    with pytest.raises(CourseError, match="no name"):
        Criterion(" ", passing, 1)
    with pytest.raises(CourseError, match="points=-1"):
        Criterion("a", passing, -1)
    with pytest.raises(CourseError, match="cannot be called"):
        Criterion("a", 3, 1)
    with pytest.raises(CourseError, match="no misconception '8/unheard-of'"):
        exercise().sentence("8/unheard-of")
    assert exercise().sentence("all/stalled").startswith("Every rank waits")


def test_naming_replaces_the_misconception_of_a_failure_only():
    assert Verdict(False, misconception="8/mean").naming("8/slow").misconception == "8/slow"
    assert Verdict(True).naming("8/slow").misconception is None


def test_a_case_draws_what_its_seed_and_stream_say_and_nothing_else():
    def draw(case):
        return case.rng.integers(2**62, size=4).tolist()

    assert draw(Case(5)) == draw(Case(5))
    assert draw(Case(5).of("bytes")) == draw(Case(5).of("bytes"))
    streams = [Case(5), Case(6), Case(5).of("bytes"), Case(5).of("values"), Case(5).of("bytes").of("values")]
    assert len({tuple(draw(case)) for case in streams}) == 5
    used = Case(5)
    draw(used)
    assert draw(used.of("bytes")) == draw(Case(5).of("bytes")), "what was drawn before changes no other criterion"
    assert Case(5, public=False, student="ada").of("x").student == "ada"
    for seed in (-1, 2**64, 1.0):
        with pytest.raises(ValueError, match="seed="):
            Case(seed)


def test_seeds_are_the_same_on_every_machine_and_python():
    """Computed once with hashlib.blake2b, apart from the kit: each part behind its length (8 bytes,
    little-endian), the first 8 of 32 bytes, little-endian."""
    assert public_seed("9.3") == GOLDEN["public"]
    assert hidden_seed("secret", "ada", "9.3") == GOLDEN["hidden"]
    assert hidden_seed("sécret", "π-student", "0A.3") == GOLDEN["unicode"]
    assert Case(GOLDEN["hidden"]).rng.integers(1000, size=5).tolist() == GOLDEN["drawn"]


def test_seeds_differ_where_any_part_differs():
    seeds = [public_seed("9.3"), public_seed("9.4")]
    seeds += [hidden_seed(*parts) for parts in (("s", "ada", "9.3"), ("t", "ada", "9.3"), ("s", "bob", "9.3"),
                                                ("s", "ada", "9.4"), ("sa", "da", "9.3"), ("s", "ada9", ".3"))]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= seed < 2**64 for seed in seeds)


def test_hidden_seeds_need_a_secret_and_a_student():
    with pytest.raises(ValueError, match="secret is empty"):
        hidden_seed(" ", "ada", "9.3")
    with pytest.raises(ValueError, match="student is empty"):
        hidden_seed("s", "", "9.3")
    public, hidden = cases("9.3")
    assert public.public
    assert hidden is None
    public, hidden = cases("9.3", "ada", "s")
    assert (public.seed, hidden.seed) == (public_seed("9.3"), hidden_seed("s", "ada", "9.3"))
    assert not hidden.public


def test_the_name_of_a_seed_tells_secrets_apart_and_gives_none_away():
    assert seed_id(None) == "public"
    assert seed_id("one") != seed_id("two")
    assert "one" not in seed_id("one")
    assert seed_id("one") == seed_id("one")


@pytest.fixture
def registry(monkeypatch):
    monkeypatch.setattr(pslab.exercises, "_LABS", {})
    return pslab.exercises


def test_the_registry_finds_exercises_and_says_what_there_is(registry):
    second = exercise(id="8.2", names=("other",))
    registry.add(exercise(), second)
    assert registry.get("8.2") is second
    assert [e.id for e in registry.lab(8)] == ["8.1", "8.2"]
    assert "8" in registry.labs()
    with pytest.raises(ValueError, match=r"no exercise '8.7'; lab 8 has 8.1, 8.2"):
        registry.get("8.7")
    with pytest.raises(ValueError, match="the chapter's number; the exercise's id is '8.1'"):
        registry.get("11.8.1")
    with pytest.raises(ValueError, match="no lab '11'"):
        registry.get("11.8.7")
    with pytest.raises(ValueError, match="no lab '77'; labs: "):
        registry.get("77.1")


def test_the_registry_refuses_a_lab_that_does_not_fit_together(registry):
    with pytest.raises(CourseError, match="twice: 8.1, 8.1"):
        registry.add(exercise(), exercise(names=("other",)))
    with pytest.raises(CourseError, match="several labs"):
        registry.add(exercise(), exercise(id="8A.1", lab="8A"))
    with pytest.raises(CourseError, match="belongs to two exercises"):
        registry.add(exercise(), exercise(id="8.2"))
    with pytest.raises(CourseError, match="without exercises"):
        registry.add()


def test_every_lab_that_is_there_loads(registry):
    for lab_id in registry.labs():
        for e in registry.lab(lab_id):
            assert registry.get(e.id) is e
            assert e.lab == lab_id
    assert "9" in registry.labs()
