"""Progress and predictions: what is kept, what is refused, what survives a damaged file."""

import json
import multiprocessing
import os
from pathlib import Path

import pytest

from pslab.grade import committed, predict, predicting, progress, reveal

QUESTION = "bytes a step of the server"


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("PSLAB_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(predicting, "_SKIPPED", {})
    monkeypatch.setattr(predicting, "_UNSAVED", {})
    return tmp_path / "home"


def stored(home):
    return json.loads((home / "progress.json").read_text())


# ---- the file ------------------------------------------------------------------------------------------------------


def test_a_check_is_noted_for_a_person_to_read(home):
    assert progress.record("9.3", "not yet", 0, 10) == ""
    progress.record("9.3", "fails", 4, 10)
    progress.record("9.3", "passes", 10, 10)
    first = stored(home)["exercises"]["9.3"]
    assert (first["state"], first["points"], first["tries"], first["hints"]) == ("passes", "10 of 10", 2, 0)
    progress.record("9.3", "fails", 2, 10)
    later = stored(home)["exercises"]["9.3"]
    assert (later["state"], later["first_pass"]) == ("fails", first["first_pass"])
    text = (home / "progress.json").read_text()
    assert text.count("\n") > 10
    assert text.startswith('{\n  "about": "What you did in the labs')
    assert sorted(path.name for path in home.iterdir()) == [".progress.json.lock", "progress.json"]


@pytest.mark.parametrize("content", [
    b"not json", b"", b"\xff\xfe", b"[1, 2]", b'{"version": 2, "exercises": {}, "predictions": {}}',
    b'{"version": 1, "exercises": [], "predictions": {}}',
    b'{"version": 1, "exercises": {"9.3": 4}, "predictions": {}}',
    b'{"version": 1, "exercises": {}, "predictions": {"9.5": {"q": 3}}}',
    b'{"version": 1, "exercises": {}, "predictions": {"9.5": {"q": {"made": 3}}}}',
])
def test_a_damaged_file_is_kept_aside_with_a_sentence(home, content):
    home.mkdir()
    for number in (1, 2):
        (home / "progress.json").write_bytes(content)
        said = progress.record("9.3", "passes", 10, 10)
        assert f"kept as progress.damaged-{number}.json" in said
        assert (home / f"progress.damaged-{number}.json").read_bytes() == content
        assert stored(home)["exercises"]["9.3"]["state"] == "passes"
    assert progress.record("9.3", "passes", 10, 10) == ""


def test_unknown_entries_of_a_good_file_stay(home):
    progress.record("9.3", "passes", 10, 10)
    data = stored(home)
    data["exercises"]["9.3"]["my note"] = "ask about this"
    (home / "progress.json").write_text(json.dumps(data))
    progress.record("9.4", "fails", 0, 15)
    assert stored(home)["exercises"]["9.3"]["my note"] == "ask about this"


def test_a_write_that_fails_leaves_the_old_file(home, monkeypatch):
    progress.record("9.3", "passes", 10, 10)
    before = (home / "progress.json").read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        progress.record("9.3", "fails", 0, 10)
    assert (home / "progress.json").read_bytes() == before
    assert sorted(path.name for path in home.iterdir()) == [".progress.json.lock", "progress.json"]


def _count(where, times):
    for _ in range(times):
        progress.record("9.3", "fails", 0, 10, where)


def test_two_at_once_lose_nothing(home):
    context = multiprocessing.get_context("fork")
    others = [context.Process(target=_count, args=(home, 25)) for _ in range(2)]
    for other in others:
        other.start()
    for other in others:
        other.join(30)
        assert other.exitcode == 0
    assert stored(home)["exercises"]["9.3"]["tries"] == 50


def test_the_file_lies_where_it_is_said_to(tmp_path, monkeypatch):
    assert progress.folder() == tmp_path / "home"
    monkeypatch.delenv("PSLAB_HOME")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    course = tmp_path / "course"
    (course / "labs").mkdir(parents=True)
    monkeypatch.chdir(course)
    assert progress.folder() == tmp_path / "data" / "pslab"
    (course / "labs" / "lab_09_verdict.ipynb").touch()
    assert progress.folder() == course / "labs"
    monkeypatch.chdir(course / "labs")
    assert progress.folder() == Path.cwd() == course / "labs"


# ---- predictions ---------------------------------------------------------------------------------------------------


def test_a_number_is_kept_before_the_run_and_shown_beside_it(home, capsys):
    ran = []
    predict("9.5", QUESTION, 1000, unit="B")
    assert capsys.readouterr().out == f"9.5: your number for '{QUESTION}', 1,000 B, is kept. Now the run may show.\n"
    assert reveal("9.5", QUESTION, lambda: ran.append(1) or 4500) == 4500
    assert capsys.readouterr().out == (f"9.5: {QUESTION}: you predicted 1,000 B, the run shows 4,500 B, "
                                       "4.5 times your number.\n")
    assert ran == [1]
    entry = stored(home)["predictions"]["9.5"][QUESTION]
    assert (entry["unit"], entry["measured"], len(entry["made"])) == ("B", 4500, 1)
    assert entry["made"][0]["at"] <= entry["revealed"]


def test_the_run_waits_for_a_number():
    ran = []
    with pytest.raises(ValueError, match="no prediction for .* yet. Run the cell"):
        reveal("9.5", QUESTION, lambda: ran.append(1) or 1)
    assert ran == []


@pytest.mark.parametrize("open_", [None, ...])
def test_a_prediction_left_open_lets_the_run_show_and_says_so(open_, home, capsys):
    predict("9.5", QUESTION, open_, unit="B")
    first = capsys.readouterr().out
    assert first.startswith(f"9.5: no prediction yet for '{QUESTION}'.")
    predict("9.5", QUESTION, open_, unit="B")
    assert capsys.readouterr().out == first
    reveal("9.5", QUESTION, lambda: 4500, unit="B")
    assert capsys.readouterr().out == f"9.5: {QUESTION}: 4,500 B. No prediction was made before this run.\n"
    predict("9.5", QUESTION, 4500, unit="B")
    assert "as made after the run had shown its number" in capsys.readouterr().out
    reveal("9.5", QUESTION, lambda: 4500, unit="B")
    assert "The number you kept came after the run had shown." in capsys.readouterr().out
    assert committed("9.5", QUESTION)[0]["after_reveal"] is True


def test_a_second_number_is_kept_beside_the_first_and_said_so(capsys):
    predict("9.5", QUESTION, 1000, unit="B")
    predict("9.5", QUESTION, 1000, unit="B")
    predict("9.5", QUESTION, 2000, unit="B")
    said = capsys.readouterr().out
    assert "2,000 B, is kept beside the earlier one, as made" in said
    assert "as made before the run; the first one counts" in said
    reveal("9.5", QUESTION, lambda: 4000)
    assert "you predicted 1,000 B" in capsys.readouterr().out
    predict("9.5", QUESTION, 4000, unit="B")
    assert "beside the earlier ones," in capsys.readouterr().out
    reveal("9.5", QUESTION, lambda: 4000)
    assert "Kept beside it: 2,000 B, 4,000 B." in capsys.readouterr().out
    made = committed("9.5", QUESTION)
    assert [(one["value"], one["after_reveal"], one["genuine"]) for one in made] == [
        (1000, False, True), (2000, False, True), (4000, True, True)]
    predict("9.5", QUESTION, ...)
    assert "your prediction for 'bytes a step of the server' stands: 1,000, then 2,000, then 4,000." in \
        capsys.readouterr().out


def test_a_number_changed_by_hand_is_seen(home, capsys):
    predict("9.5", QUESTION, 1000)
    path = home / "progress.json"
    path.write_text(path.read_text().replace('"value": 1000', '"value": 4000'))
    reveal("9.5", QUESTION, lambda: 4000)
    assert "4,000: exactly. A number in the progress file was changed by hand." in capsys.readouterr().out


@pytest.mark.parametrize("value", [True, "12", float("nan"), float("inf"), [1], 1j])
def test_only_finite_numbers_are_predictions(value):
    with pytest.raises(ValueError, match="a prediction is a finite number"):
        predict("9.5", QUESTION, value)
    assert committed("9.5", QUESTION) == []


def test_questions_do_not_mix(capsys):
    predict("9.5", "a", 1.5)
    with pytest.raises(ValueError, match="no prediction for 'b'"):
        reveal("9.5", "b", lambda: 1)
    with pytest.raises(ValueError, match="no prediction for 'a'"):
        reveal("9.6", "a", lambda: 1)
    assert reveal("9.5", "a", lambda: (3.0, "a picture")) == (3.0, "a picture")
    assert "you predicted 1.5, the run shows 3, 2 times your number" in capsys.readouterr().out
    with pytest.raises(ValueError, match=r"run\(\) gave 'much'"):
        reveal("9.5", "a", lambda: "much")


@pytest.mark.parametrize("when", ["no folder", "full disk"])
def test_without_a_place_to_write_a_prediction_lives_as_long_as_the_notebook(home, capsys, monkeypatch, when):
    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        if when == "no folder":
            home.write_text("a file where the folder should be")
        else:
            patch.setattr(os, "fsync", full)
        predict("9.5", QUESTION, 1000, unit="B")
        assert "(your progress could not be saved" in capsys.readouterr().out
        reveal("9.5", QUESTION, lambda: 4500)
        assert "you predicted 1,000 B, the run shows 4,500 B" in capsys.readouterr().out
    if when == "no folder":
        home.unlink()
    predict("9.5", QUESTION, 4500, unit="B")
    assert "as made after the run" in capsys.readouterr().out
    assert [one["value"] for one in stored(home)["predictions"]["9.5"][QUESTION]["made"]] == [1000, 4500]
