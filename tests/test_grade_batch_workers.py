"""The batch in several processes: the results of one; a worker that dies takes only its submission along."""

import json
import os
from pathlib import Path

import pytest
from grade_batch_toys import notebook

from pslab.cli import main
from pslab.grade import batch
from pslab.grade.batch_one import Order

pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]


def dies_on_ben(order):
    """Stands for a grader that a submission brings down."""
    if order.by_name == "ben":
        os._exit(1)
    return batch.broken(order, "fine")


def test_a_worker_that_dies_takes_only_its_submission_along():
    orders = [Order(Path(f"{name}.ipynb"), name, pages=False) for name in ("anna", "ben", "cleo", "dora")]
    problems = {data["student"]: data["submission"]["problem"]
                for data, _ in batch._by_workers(orders, 2, grade=dies_on_ben)}
    assert problems == {"anna": "fine", "ben": "the grader's own process ended while it was graded", "cleo": "fine",
                        "dora": "fine"}


def test_two_workers_give_what_one_gives(tmp_path, monkeypatch):
    monkeypatch.delenv(batch.SECRET, raising=False)
    (tmp_path / "in").mkdir()
    for number, name in enumerate(("anna", "ben", "cleo")):
        body = f"def crossover(K, D, key_bytes, S, view):\n    return {number}\n"
        (tmp_path / "in" / f"{name}.ipynb").write_text(notebook((body, "9.1")))
    (tmp_path / "in" / "dora.ipynb").write_text("")
    scores = []
    for jobs in ("1", "2"):
        file = tmp_path / f"{jobs}.json"
        assert main(["grade", str(tmp_path / "in"), "--lab", "9", "--exercise", "9.1", "--seed", "s", "--jobs", jobs,
                     "--json", str(file)]) == 1
        results = json.loads(file.read_text())["results"]
        scores.append([(r["student"], r["submission"]["problem"],
                        [(v["criterion"], v["passed"], v["seen"]) for e in r["exercises"] for v in e["verdicts"]])
                       for r in results])
    assert scores[0] == scores[1]
    assert len(scores[0]) == 4
