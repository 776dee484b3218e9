"""TorchWorld: calls that differ, ranks that are missing, stopped or killed: every rank reads the same, in time."""

import json
import re

import pytest
from collectives_calls import CASES, differences, line_of
from collectives_programs import absent, program
from torch_launch import ROOT, torchrun

IDS = ["-".join(case) for case in CASES]


@pytest.fixture(scope="module")
def reports(tmp_path_factory):
    """By rank; rank 2 is killed at the end, and writes none."""
    folder = tmp_path_factory.mktemp("reports")
    code, out, err = torchrun(3, str(ROOT / "tests" / "torch_agree.py"), str(folder))
    assert code == 1, out + err
    assert "SIGKILL" in err
    assert sorted(path.name for path in folder.iterdir()) == ["rank-0.json", "rank-1.json"], err
    return [json.loads((folder / f"rank-{rank}.json").read_text()) for rank in range(2)]


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_a_difference_is_told_on_every_rank(reports, case):
    told = [report["-".join(case)] for report in reports]
    assert [each["type"] for each in told] == ["Disagreement"] * 2, told
    assert told[0]["text"] == told[1]["text"], "one verdict, told to all"
    _, usual_words, odd_words = differences(*case)[told[0]["what"]]
    odd = told[0]["odd"]
    rows = {rank: row for row in told[0]["calls"] for rank in map(int, re.findall(r"\d", row[0]))}
    assert sorted(rows) == [0, 1, 2]
    for rank, (_, call, where) in rows.items():
        assert (odd_words if rank == odd else usual_words) in call
        assert where == line_of(program, "# the odd line" if rank == odd else "# the usual line")
    assert max(each["seconds"] for each in told) < 10                    # the deadline is 30


def test_a_missing_rank_is_told_on_every_rank(reports):
    for report in reports:
        assert report["missing"]["type"] == "Stalled"
        sentence, = report["missing"]["missing"]
        assert "ranks 0, 2 wait in reduce_scatter(float32[7], op='sum'" in sentence
        assert f"at {line_of(absent, '# the usual line')}" in sentence
        assert re.search(r"rank 1 is not in it: it is in recv\(src=2, tag=3\) at \S+:\d+ in receives", sentence)


@pytest.mark.parametrize("when", ["stopped", "stopped in a transfer"])
def test_a_stopped_rank_is_told_by_its_neighbours(reports, when):
    told = reports[0][when]
    assert told["type"] == "Stalled"
    assert "nothing has moved for 1 s: rank 1 is stopped by a signal, and others wait" in told["text"]
    assert re.search(r"^0 +all_reduce\(float32", told["text"], re.MULTILINE)
    assert told["seconds"] < 12
    assert reports[1][when]["type"] in ("Stalled", "RankDied"), "it goes on, and finds the others gone"


def test_a_killed_rank_is_told_on_every_other(reports):
    for report in reports:
        assert report["killed"]["type"] == "RankDied"
        assert report["killed"]["text"].startswith("rank 2 is gone")
        assert report["killed"]["seconds"] < 8
