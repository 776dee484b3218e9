"""A table of decisions worked out by hand: architecture and binding reason, and what does not move them."""

from dataclasses import replace
from math import inf

import pytest

from pslab import cost

REASONS = ("capacity", "elastic", "straggler", "bytes")


@pytest.mark.parametrize("case", cost.CHOICE_CASES, ids=lambda case: case.name)
def test_the_table_of_cases(case):
    choice = case.choice()
    assert (choice.architecture, choice.binding) == (case.architecture, case.binding)


def test_the_table_shows_every_reason_and_every_architecture():
    assert len(cost.CHOICE_CASES) >= 12
    assert {case.binding for case in cost.CHOICE_CASES} == set(REASONS)
    assert {case.architecture for case in cost.CHOICE_CASES} == {"allreduce", "gather", "server"}
    assert len({case.name for case in cost.CHOICE_CASES}) == len(cost.CHOICE_CASES)
    wrong = replace(cost.CHOICE_CASES[0], architecture="server")
    assert wrong.choice().architecture != wrong.architecture, "a wrong line of the table would be seen"


DENSE = cost.CHOICE_CASES[0].group


@pytest.mark.parametrize(("straggler", "staleness", "binding"), [
    ("none", inf, "bytes"), ("transient", 0, "bytes"), ("transient", 0.5, "straggler"), ("transient", inf, "straggler"),
    ("persistent", 0, "bytes"), ("persistent", 1000, "bytes"), ("persistent", inf, "straggler")])
def test_slack_is_a_reason_only_where_it_lasts(straggler, staleness, binding):
    choice = cost.choose(**DENSE, straggler=straggler, staleness=staleness)
    assert choice.binding == binding
    assert choice.architecture == ("server" if binding == "straggler" else "allreduce")
    assert binding != "straggler" or straggler in choice.reason


def test_the_first_question_that_settles_it_is_the_reason():
    everything = {**DENSE, "elastic": True, "straggler": "transient", "staleness": 1}
    small = {"worker_memory_bytes": 600_000_000 - 1}
    assert cost.choose(**{**everything, **small}).binding == "capacity"
    assert cost.choose(**everything).binding == "elastic"
    assert cost.choose(**{**everything, "elastic": False}).binding == "straggler"
    assert cost.choose(**{**everything, "elastic": False, "staleness": 0}).binding == "bytes"
    assert cost.choose(**{**DENSE, "worker_memory_bytes": 600_000_000}).binding == "bytes", "the last byte fits"


def test_whatever_binds_the_bytes_are_told():
    told = [cost.choose(**DENSE, **more).busiest for more in ({}, {"elastic": True})]
    assert told[0] == told[1] == {"allreduce": 350_000_000, "server": 400_000_000, "gather": 1_400_000_000}


@pytest.mark.parametrize(("more", "words"), [
    ({"straggler": "often"}, "straggler='often'; allowed: 'none', 'transient', 'persistent'"),
    ({"staleness": -1}, "staleness=-1; a number of rounds from 0 to inf"),
    ({"staleness": float("nan")}, "staleness=nan"), ({"staleness": True}, "staleness=True"),
    ({"worker_memory_bytes": -1}, "worker_memory_bytes=-1")])
def test_what_cannot_be_answered_is_refused(more, words):
    with pytest.raises(ValueError, match=words):
        cost.choose(**{**DENSE, **more})
