"""From criteria to a report, to the words a student reads, to a result file."""

import copy
import json

import grade_toys as toys
import pytest

from pslab.grade import (
    BoxTrouble,
    Case,
    CourseError,
    Criterion,
    Stalled,
    Verdict,
    contracts,
    feedback,
    judge,
    read_result,
    result,
)

PUBLIC, HIDDEN = Case(1), Case(2, public=False)


def report_of(function, hidden=None, **changes):
    return judge(toys.exercise(**changes), toys.Fake(ring_all_reduce=function), PUBLIC, hidden, strict=True)


def criteria(*judges, hidden=()):
    return tuple(Criterion(f"c{i}", j, 10 if i == 0 else 0, hidden=i in hidden) for i, j in enumerate(judges))


def says(verdict):
    return lambda answers, case: verdict


def raises(error):
    def judge_(answers, case):
        raise error
    return judge_


def test_points_are_those_of_the_criteria_that_pass():
    report = report_of(toys.whole_tensor, HIDDEN, criteria=toys.exercise().criteria[:2] + toys.exercise().criteria[3:],
                       points=8)
    assert [v.passed for _, v in report.verdicts] == [True, False, True]
    assert (report.score, report.points, report.passed, report.state) == (6, 8, False, "fails")
    assert report.first_failure[0].name == "bytes"
    assert report.run is report.first_failure[1].run


def test_hidden_criteria_run_with_the_hidden_case_and_only_then():
    seen = []

    def note(answers, case):
        seen.append((case.public, case.stream))
        return Verdict(True)

    exercise = toys.exercise(criteria=criteria(note, note, hidden=(1,)))
    report = judge(exercise, None, PUBLIC)
    assert (report.hidden_left, report.points, report.passed) == (1, 10, True)
    full = judge(exercise, None, PUBLIC, HIDDEN)
    assert full.hidden_left == 0
    assert seen == [(True, "/c0"), (True, "/c0"), (False, "/c1")]


def test_a_stub_is_not_yet_and_nothing_else():
    report = report_of(toys.stub)
    assert report.state == "not yet"
    assert feedback.text(report) == "8.1: not yet"
    assert report.score == 0
    assert not report.passed


def test_one_of_two_functions_still_a_stub_costs_what_it_is_worth_and_no_more():
    two = criteria(*(contracts.values(toys.job(name), otherwise="8/wrong-sum") for name in ("one", "other", "one")))
    exercise = toys.exercise(names=("one", "other"), criteria=two)
    for one, other, passing in ((toys.star, toys.stub, [True, False, True]),
                                (toys.stub, toys.star, [False, True, False])):
        report = judge(exercise, toys.Fake(one=one, other=other), PUBLIC, strict=True)
        assert [v.passed for _, v in report.verdicts] == passing
        assert report.state == "fails"
        said = feedback.text(report)
        assert said.count("not yet") == passing.count(False)
        assert "hint 1 of 3" in said


def test_what_the_ranks_printed_is_shown_beside_a_failure():
    def talks(comm, x):
        print("I hold", float(x.sum()))
        for i in range(4):
            print("line", i, "x" * (200 if i == 0 else 1))
        return x

    said = feedback.text(report_of(talks, criteria=toys.exercise().criteria[:1], points=3))
    assert "          printed   rank 0: I hold 0.0\n                    rank 0: line 0 xxx" in said
    assert " ...\n" in said
    assert "... and 4 more lines" in said
    assert "printed" not in feedback.text(report_of(toys.mean))


def test_nothing_that_ran_is_nothing_that_passed():
    exercise = toys.exercise(criteria=criteria(says(Verdict(True)), hidden=(0,)))
    report = judge(exercise, None, PUBLIC)
    assert not report.passed
    assert "nothing was checked" in feedback.text(report)


def test_a_failed_answer_becomes_its_verdict():
    report = judge(toys.exercise(criteria=criteria(raises(Stalled("a table", "line 3")))), None, PUBLIC, strict=True)
    verdict = report.verdicts[0][1]
    assert (verdict.misconception, verdict.seen, verdict.where) == ("all/stalled", "a table", "line 3")


def test_a_judge_that_stumbles_takes_no_other_criterion_with_it():
    exercise = toys.exercise(criteria=criteria(raises(TypeError("no len()")), says(Verdict(True))))
    report = judge(exercise, None, PUBLIC)
    assert [v.misconception for _, v in report.verdicts] == ["all/not-judged", None]
    assert "TypeError: no len()" in feedback.text(report)
    with pytest.raises(TypeError):
        judge(exercise, None, PUBLIC, strict=True)


@pytest.mark.parametrize(("judge_", "said"), [
    (says(None), "not a Verdict"),
    (says(Verdict(False, misconception="8/unheard-of")), "no misconception '8/unheard-of'"),
    (lambda a, c: Verdict(False), "names no misconception"),
])
def test_errors_of_the_course_are_no_verdicts(judge_, said):
    with pytest.raises(CourseError, match=said):
        judge(toys.exercise(criteria=criteria(judge_)), None, PUBLIC)


def test_trouble_of_the_machine_is_no_verdict():
    with pytest.raises(BoxTrouble):
        judge(toys.exercise(criteria=criteria(raises(BoxTrouble("no room")))), None, PUBLIC)


def test_the_text_says_expected_seen_where_why_and_a_hint():
    said = feedback.text(report_of(toys.whole_tensor))
    assert said.startswith("8.1 All-reduce in a ring: 1 of 3 public checks pass\n")
    for part in ("  passes  values  right sum\n", "  fails   bytes\n", "expected  32 bytes in total",
                 "seen      right sum, 1.5x the traffic of the bound: 48 bytes in total",
                 "where     K=3, 2 elements, whole numbers",
                 "why       You send the whole tensor at each step; a chunk is enough.",
                 "hint 1 of 3: Cut x into K chunks.  (`pslab hint 8.1` shows the next one)"):
        assert part in said, said
    assert "hint 3 of 3: Chunk r starts at rank r." in feedback.text(report_of(toys.whole_tensor), hints_shown=3)


def test_the_text_of_a_pass_shows_the_cost_and_claims_no_hidden_check():
    said = feedback.text(report_of(toys.ring_all_reduce))
    assert "bytes in total, which is the bound" in said
    assert said.endswith("The public checks pass; 1 hidden one runs when it is graded.")
    assert "all " not in said.lower().replace("all-reduce", "")
    full = feedback.text(report_of(toys.ring_all_reduce, HIDDEN))
    assert full.endswith("All 4 checks pass, the hidden ones too.")
    alone = feedback.text(report_of(toys.ring_all_reduce, criteria=toys.exercise().criteria[:1], points=3))
    assert alone.endswith("The check passes; this exercise has no hidden ones.")
    assert "values on your own shapes (hidden)" in full


def test_code_that_stops_is_told_once():
    said = feedback.text(report_of(toys.all_send_first))
    assert said.count("deadlock: no rank can ever go on") == 1
    assert said.count("as 'values'") == 2
    assert "send at grade_toys.py" in said


def test_the_same_answer_always_reads_the_same():
    assert feedback.text(report_of(toys.star)) == feedback.text(report_of(toys.star))


def test_the_picture_is_of_the_run_that_fails_and_has_a_twin():
    picture = feedback.picture(report_of(toys.whole_tensor))
    assert picture.title == "Your run: K=3, 2 elements, whole numbers"
    assert picture.table.column("payload") == ["8 B"] * 6
    assert picture.png().startswith(b"\x89PNG")
    passed = feedback.picture(report_of(toys.ring_all_reduce))
    assert len(passed.table.column("from")) == feedback.MESSAGES_LISTED
    assert feedback.picture(report_of(toys.crash)) is None
    assert feedback.picture(report_of(toys.stub)) is None


def test_a_picture_of_too_many_messages_is_not_drawn(monkeypatch):
    report = report_of(toys.whole_tensor)
    monkeypatch.setattr(feedback, "LARGEST_DRAWN", 5)
    assert feedback.picture(report) is None


def test_a_result_has_the_schema_and_survives_a_file():
    reports = [report_of(toys.whole_tensor, HIDDEN), report_of(toys.ring_all_reduce)]
    data = result(reports, student="ada", seed="hidden-12")
    assert read_result(json.loads(json.dumps(data))) == data
    assert (data["schema"], data["student"], data["seed"]) == (1, "ada", "hidden-12")
    first, second = data["exercises"]
    assert (first["score"], first["points"], second["score"], second["points"]) == (6, 10, 7, 7)
    assert (first["bytes"], first["hidden"], second["hidden"]) == (48, 0, 1)
    refused = first["verdicts"][1]
    assert refused["misconception"] == "8/whole-tensor"
    assert refused["sentence"] == "You send the whole tensor at each step; a chunk is enough."
    assert second["verdicts"][0]["sentence"] == ""
    assert all(data[part] for part in ("pslab", "python", "torch", "numpy"))


GOOD = result([report_of(toys.mean)])


@pytest.mark.parametrize(("spoil", "said"), [
    (lambda d: d.update(schema=2), "schema=2"),
    (lambda d: d.pop("student"), "no 'student'"),
    (lambda d: d.update(seed=3), "seed=3"),
    (lambda d: d["exercises"][0].update(score=True), r"exercises\[0\]: score=True"),
    (lambda d: d["exercises"][0].pop("verdicts"), r"exercises\[0\] has no 'verdicts'"),
    (lambda d: d["exercises"][0]["verdicts"][1].pop("sentence"), r"exercises\[0\].verdicts\[1\] has no 'sentence'"),
    (lambda d: d["exercises"].append(3), r"exercises\[1\] is int"),
])
def test_a_result_of_another_form_is_refused_by_name(spoil, said):
    data = copy.deepcopy(GOOD)
    spoil(data)
    with pytest.raises(ValueError, match=said):
        read_result(data)
    with pytest.raises(ValueError, match="schema='list'"):
        read_result([])
