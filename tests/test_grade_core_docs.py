"""docs/grading.md: the exercise in it is a real one, and what it promises is there."""

import re

import grade_toys as toys
import pytest

from pslab import grade
from pslab.grade import Case, contracts, feedback, judge


@pytest.fixture(scope="module")
def page(repo_root):
    return (repo_root / "docs" / "grading.md").read_text(encoding="utf-8")


def test_the_exercise_of_the_page_judges(page):
    block = next(text for text in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "EXERCISES = (" in text)
    names = {}
    exec(compile(block, "docs/grading.md", "exec"), names)
    (exercise,) = names["EXERCISES"]
    hidden = Case(2, public=False)
    right = judge(exercise, toys.Fake(ring_all_reduce=toys.ring_all_reduce), Case(1), hidden, strict=True)
    assert (right.score, right.points) == (8, 8)
    for function, sentence in ((toys.mean, "you return the mean"), (toys.in_place, "work on a copy"),
                               (toys.whole_tensor, "a chunk is enough"), (toys.by_global, "ranks share no variables")):
        wrong = judge(exercise, toys.Fake(ring_all_reduce=function), Case(1), strict=True)
        assert not wrong.passed
        assert sentence in " ".join(feedback.text(wrong).split())


def test_every_builder_and_field_that_the_page_names_exists(page):
    builders = re.findall(r"^\| [VBMOTRFW]? ?\| `(\w+)` \|", page, re.MULTILINE)
    assert len(builders) == 9
    assert all(callable(getattr(contracts, name)) for name in builders)
    fields = grade.result([judge(toys.exercise(), toys.Fake(ring_all_reduce=toys.stub), Case(1))])
    for name in (*fields, *fields["exercises"][0], *fields["exercises"][0]["verdicts"][0]):
        assert f"`{name}`" in page or f"`{name}[]`" in page, name


def test_every_public_name_of_the_room_can_be_had():
    for name in grade.__all__:
        assert getattr(grade, name) is not None
        assert name in dir(grade)
    with pytest.raises(AttributeError, match="no attribute 'nosuch'"):
        _ = grade.nosuch
