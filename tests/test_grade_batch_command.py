"""`pslab grade`: a class of good and bad submissions; every option; resuming; and the secret stays one."""

import csv
import json
import os
import shutil

import pytest
from grade_batch_toys import CLASS, GOOD, LAB, RING, notebook, right, write_class

import pslab.exercises
from pslab.cli import main
from pslab.grade import batch, batch_one, notebook_source, read_result

SECRET = "correct horse battery"


@pytest.fixture(scope="module")
def toys():
    pslab.exercises._LABS["99"] = LAB
    yield
    del pslab.exercises._LABS["99"]


@pytest.fixture(autouse=True)
def _no_secret(monkeypatch, toys):
    monkeypatch.delenv(batch.SECRET, raising=False)


@pytest.fixture(scope="module")
def graded(tmp_path_factory, toys):
    """The class, graded once with all outputs: (folder, exit code)."""
    root = tmp_path_factory.mktemp("class")
    write_class(root / "in")
    files = {"--out": "out", "--json": "all.json", "--csv": "all.csv", "--gradescope": "gs"}
    options = [word for option, name in files.items() for word in (option, str(root / name))]
    code = main(["grade", str(root / "in"), "--seed", SECRET, *options, "--jobs", "1"])
    return root, code


def rows(root):
    return {row["student"].lstrip("'"): row for row in csv.DictReader((root / "all.csv").open())}


def grade(*words):
    return main(["grade", *map(str, words)])


def one(tmp_path, text, name="anna.ipynb"):
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


# ---- the class ------------------------------------------------------------------------------------------------------


def test_every_submission_gets_its_verdict_and_none_stops_the_batch(graded):
    root, code = graded
    assert code == 1
    table = rows(root)
    for name, (_, problem, score) in CLASS.items():
        assert problem in table[name]["problem"], name
        assert bool(table[name]["problem"]) == bool(problem), (name, table[name])
        assert int(table[name]["score"]) == (score or 0), name
    for name, problem in {"gone": "no ordinary file", "folder": "a folder", "zipped": "zip archive"}.items():
        assert problem in table[name]["problem"]
    assert set(table) == {*CLASS, "gone", "folder", "zipped"}             # neither notes nor checkpoints
    assert table["anna"] == {"student": "anna", "score": "9", "points": "9", "99.1": "5", "99.2": "4", "problem": ""}


def test_each_student_has_a_result_by_the_schema(graded):
    root, _ = graded
    anna = read_result(json.loads((root / "out/results/anna.json").read_text()))
    assert anna["seed"].startswith("hidden-")
    assert [e["bytes"] for e in anna["exercises"]] == [None, 24]
    adds = read_result(json.loads((root / "out/results/adds.json").read_text()))
    verdicts = {v["criterion"]: v for v in adds["exercises"][0]["verdicts"]}
    assert verdicts["value"]["misconception"] == "99/adds"
    assert verdicts["other values"]["hidden"] is True
    notes = json.loads((root / "out/results/no_marks.json").read_text())["submission"]["notes"]
    assert notes[0] == "99.1: found by name (difference); the cell has lost its mark"
    syntax = json.loads((root / "out/results/syntax.json").read_text())["exercises"][0]["verdicts"][0]
    assert (syntax["seen"], syntax["where"]) == ("SyntaxError: invalid syntax", "the cell of 99.1, line 2")
    together = json.loads((root / "all.json").read_text())
    assert [r["student"] for r in together["results"]] == sorted(r["student"] for r in together["results"])
    assert len(together["problems"]) == sum(bool(p) for _, p, _ in CLASS.values()) + 3


def test_pages_show_words_and_the_students_own_picture_and_run_nothing(graded):
    root, _ = graded
    page = (root / "out/feedback/anna.html").read_text()
    assert page.count("data:image/png;base64,") == 1
    assert "9</td><td>of 9" in page
    assert "99.1 toy 1" in page
    hostile = (root / "out/feedback/hacks.html").read_text()
    assert "<script>" not in hostile
    assert "&lt;script&gt;" in hostile
    assert "was not graded: the file is empty" in (root / "out/feedback/empty--empty.ipynb.html").read_text()


def test_the_class_report_counts_students(graded):
    report = (graded[0] / "out/class_report.md").read_text()
    graded_count = sum(not problem for _, problem, _ in CLASS.values())
    assert f"{graded_count} of {len(CLASS) + 3} submissions graded" in report
    assert f"- 3 of {graded_count} students: You add where the difference is asked for. (`99/adds`, 99.1)" in report
    assert f"- 3 of {graded_count} students: You return a constant" in report      # adds, constant, hacks
    assert "| 99.1 | 6 | 1 | 0 |" in report
    assert "| 99.2 | 12 | 0 | 1 |" in report
    assert "- pdf (pdf.ipynb): it is no notebook but a PDF" in report


def test_gradescopes_form(graded):
    data = json.loads((graded[0] / "gs/adds.json").read_text())
    assert data["score"] == 4
    assert [(t["name"], t["score"], t["max_score"], t["visibility"]) for t in data["tests"]] == [
        ("99.1 value", 0, 3, "visible"), ("99.1 other values", 0, 2, "after_published"), ("99.2 rows", 4, 4, "visible")]
    assert data["tests"][0]["output"].startswith("You add where the difference is asked for.\nexpected: ")
    pdf = next(json.loads(p.read_text()) for p in (graded[0] / "gs").iterdir() if p.name.startswith("pdf"))
    assert (pdf["score"], pdf["tests"]) == (0, [])
    assert "a PDF" in pdf["output"]


def test_the_secret_is_in_no_output(graded, capfd):
    written = [path for path in graded[0].rglob("*") if path.is_file()]
    assert len(written) > 80
    for path in written:
        assert SECRET.encode() not in path.read_bytes(), path
    assert SECRET not in "".join(capfd.readouterr())


# ---- options --------------------------------------------------------------------------------------------------------


def test_without_a_secret_hidden_checks_are_left_out_and_said_so(tmp_path, capsys, monkeypatch):
    path = one(tmp_path, right())
    assert grade(path, "--json", tmp_path / "j", "--exercise", "99.1") == 0
    told = capsys.readouterr().out
    assert "public checks only" in told
    assert "anna: 3 of 3 points" in told
    result = json.loads((tmp_path / "j").read_text())["results"][0]
    assert result["seed"] == "public"
    assert [e["id"] for e in result["exercises"]] == ["99.1"]
    assert result["exercises"][0]["hidden"] == 1
    monkeypatch.setenv(batch.SECRET, SECRET)
    assert grade(path) == 0
    assert "anna: 9 of 9 points" in capsys.readouterr().out


def test_students_have_seeds_of_their_own(tmp_path):
    where = {}
    for name in ("anna", "ben"):
        one(tmp_path, notebook((GOOD.replace("-", "+"), "99.1")), f"in/{name}.ipynb")
    grade(tmp_path / "in", "--seed", SECRET, "--json", tmp_path / "j", "--jobs", "1")
    for result in json.loads((tmp_path / "j").read_text())["results"]:
        where[result["student"]] = [v["where"] for v in result["exercises"][0]["verdicts"]]
    assert where["anna"][0] == where["ben"][0]
    assert where["anna"][1] != where["ben"][1]


def test_student_from_metadata(tmp_path, capsys):
    one(tmp_path, right(student="s123"), "in/upload1.ipynb")
    one(tmp_path, right(), "in/upload2.ipynb")
    assert grade(tmp_path / "in", "--student-from", "metadata", "--exercise", "99.1", "--jobs", "1") == 1
    told = capsys.readouterr().out
    assert "s123: 3 of 3 points" in told
    assert "upload2: not graded: the notebook names no student" in told


def test_a_folder_a_student_and_a_second_notebook(tmp_path, capsys):
    one(tmp_path, right(), "in/anna/lab_99.ipynb")
    one(tmp_path, notebook(("def crossover(): pass", "9.1")), "in/anna/lab_09.ipynb")
    one(tmp_path, right(), "in/ben/a.ipynb")
    one(tmp_path, right(), "in/ben/b.ipynb")
    assert grade(tmp_path / "in", "--lab", "99", "--jobs", "1", "--out", tmp_path / "out") == 1
    told = capsys.readouterr().out
    assert "anna: 7 of 7 points" in told
    assert "ben: 7 of 7 points" in told
    assert "ben: not graded: a second notebook of ben; a.ipynb is graded" in told
    assert json.loads((tmp_path / "out/results/ben.json").read_text())["submission"]["problem"] == ""


def test_the_limit_of_a_submission(tmp_path, capsys):
    path = one(tmp_path, notebook(("def difference(a, b):\n    while True: pass\n", "99.1"), (RING, "99.2")))
    assert grade(path, "--limit-s", "0.8", "--json", tmp_path / "j") == 0
    first, second = json.loads((tmp_path / "j").read_text())["results"][0]["exercises"]
    assert first["verdicts"][0]["seen"].startswith("no answer within 0.")
    assert "the time for the whole notebook, 0.8 s, was used up" in second["verdicts"][0]["seen"]


def test_resume_leaves_out_what_is_done_and_unchanged(tmp_path, capsys, monkeypatch):
    graded = []
    real = batch_one.grade_one
    monkeypatch.setattr(batch, "grade_one", lambda order: graded.append(order.by_name) or real(order))
    for name in ("anna", "ben", "cleo"):
        one(tmp_path, notebook((GOOD, "99.1")), f"in/{name}.ipynb")

    def again(*words):
        graded.clear()
        assert grade(tmp_path / "in", "--out", tmp_path / "out", "--exercise", "99.1", "--jobs", "1", "--resume",
                     "--csv", tmp_path / "all.csv", *words) == 0
        assert len(rows(tmp_path)) == 3                              # those left out are in the tables all the same
        return list(graded)

    assert again() == ["anna", "ben", "cleo"]
    capsys.readouterr()
    assert again() == []
    assert "ben: 3 of 3 points, " in capsys.readouterr().out
    one(tmp_path, notebook((GOOD + "\n", "99.1")), "in/ben.ipynb")
    assert again() == ["ben"]
    kept = tmp_path / "out/results/cleo.json"
    kept.write_text(kept.read_text()[:100])                          # as if the machine had stopped while writing
    assert again() == ["cleo"]
    assert again("--seed", SECRET) == ["anna", "ben", "cleo"]        # another way of grading
    assert not list((tmp_path / "out").rglob(".*"))
    graded.clear()
    grade(tmp_path / "in", "--out", tmp_path / "out", "--exercise", "99.1", "--jobs", "1")
    assert graded == ["anna", "ben", "cleo"]                         # without --resume all are graded


def test_gradescope_of_one_file(tmp_path):
    path = one(tmp_path, right())
    assert grade(path, "--gradescope", tmp_path / "results.json", "--exercise", "99.1") == 0
    assert json.loads((tmp_path / "results.json").read_text())["score"] == 3


def test_jobs_reach_the_workers(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(batch, "_by_workers", lambda orders, jobs: seen.append(jobs) or map(batch._one, orders))
    for name in ("anna", "ben"):
        one(tmp_path, notebook((GOOD, "99.1")), f"in/{name}.ipynb")
    assert grade(tmp_path / "in", "--jobs", "3", "--exercise", "99.1") == 0
    assert seen == [3]
    assert grade(tmp_path / "in", "--exercise", "99.1") == 0
    assert seen[1:] in ([len(os.sched_getaffinity(0))], [])           # one core: no workers


def test_a_grader_that_fails_is_this_submissions_problem(tmp_path, monkeypatch, capsys):
    real = batch_one.grade_one
    monkeypatch.setattr(batch, "grade_one", lambda order: 1 / 0 if order.by_name == "ben" else real(order))
    for name in ("anna", "ben"):
        one(tmp_path, notebook((GOOD, "99.1")), f"in/{name}.ipynb")
    assert grade(tmp_path / "in", "--jobs", "1", "--exercise", "99.1") == 1
    told = capsys.readouterr().out
    assert "anna: 3 of 3 points" in told
    assert "ben: not graded: the grader failed on it (ZeroDivisionError: division by zero)" in told


def test_a_huge_file_is_not_read(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(notebook_source, "MOST_BYTES", 2 << 20)
    path = one(tmp_path, right() + " " * (3 << 20))
    assert grade(path) == 1
    assert "the file has 3 MiB; at most 2 MiB are read" in capsys.readouterr().out


def test_an_answer_cannot_read_other_submissions(tmp_path):
    peek = f"def difference(a, b):\n    return open({str(tmp_path / 'in/anna.ipynb')!r}).read()\n"
    one(tmp_path, right(), "in/anna.ipynb")
    one(tmp_path, notebook((peek, "99.1")), "in/ben.ipynb")
    grade(tmp_path / "in", "--jobs", "1", "--exercise", "99.1", "--json", tmp_path / "j")
    ben = json.loads((tmp_path / "j").read_text())["results"][1]["exercises"][0]["verdicts"][0]
    assert "in/anna.ipynb, which holds what answers are judged by" in ben["seen"]


@pytest.mark.parametrize(("words", "told"), [
    (["{in}", "--limit-s", "0"], "--limit-s 0"), (["{in}", "--jobs", "0"], "--jobs 0"),
    (["{in}", "--resume"], "--resume needs --out"), (["{in}", "--seed", " "], "--seed is empty"),
    (["{in}", "--exercise", "99.7"], "no exercise '99.7'"), (["{in}", "--lab", "77"], "no lab '77'"),
    (["{in}", "--lab", "9", "--exercise", "99.1"], "is not of --lab 9"), (["{in}/nowhere"], "is not there"),
    (["{in}/none"], "holds no notebooks"), (["{in}", "--gradescope", "{in}/anna.ipynb"], "is a file"),
    (["{in}", "--student-from", "moon"], "invalid choice"), ([], "FILE|FOLDER")])
def test_a_wrong_command_line_is_told(tmp_path, capsys, words, told):
    one(tmp_path, right(), "in/anna.ipynb")
    (tmp_path / "in/none").mkdir()
    assert grade(*(word.replace("{in}", str(tmp_path / "in")) for word in words)) == 2
    assert told in capsys.readouterr().err


def test_out_is_whole_even_where_it_lies_among_the_submissions(tmp_path):
    one(tmp_path, right(), "in/anna.ipynb")
    assert grade(tmp_path / "in", "--out", tmp_path / "in", "--exercise", "99.1", "--jobs", "1") == 0
    assert (tmp_path / "in/results/anna.json").is_file()
    shutil.rmtree(tmp_path / "in/results")
