"""The Chrome trace of a run: the format's rules, the run's moments, and every byte of the ledger."""

import json
from collections import Counter, defaultdict

import pytest
import torch

from pslab import collectives
from pslab.comm import Event, Faults, Link, SimWorld, Span, Trace

PHASES = {"X": {"name", "cat", "ph", "ts", "dur", "pid", "tid", "args"},
          "s": {"name", "cat", "ph", "id", "ts", "pid", "tid"},
          "f": {"name", "cat", "ph", "id", "ts", "pid", "tid", "bp"},
          "M": {"name", "ph", "pid", "args"}}


def program(comm, elements):
    """Every plane: a collective, a computation, a letter to the right, a letter to oneself, a sleep."""
    x = torch.arange(float(elements)) * comm.world_size + comm.rank
    comm.compute(1e-5 * comm.rank)
    collectives.all_reduce(comm, x)
    comm.post((comm.rank + 1) % comm.world_size, "hello", {"from": comm.rank}, [x[:3]])
    comm.post(comm.rank, "to myself", {})
    comm.sleep(2e-6)
    return [comm.poll().kind for _ in range(2)]


def chrome(trace, tmp_path, name="a.json"):
    trace.to_chrome(tmp_path / name)
    text = (tmp_path / name).read_text()
    document = json.loads(text, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
    assert document["displayTimeUnit"] in ("ms", "ns"), "the two that the format knows"
    return document["traceEvents"]


def check_rules(events):
    """What the format asks of every file, whatever is in it."""
    for event in events:
        assert set(event) == PHASES[event["ph"]] | ({"tid"} if event["name"].startswith("thread_") else set())
        assert event["ph"] == "M" or event["ts"] >= 0
    slices = [e for e in events if e["ph"] == "X"]
    assert all(e["dur"] >= 0 for e in slices)
    moments = [e["ts"] for e in events if e["ph"] != "M"]
    assert moments == sorted(moments)
    assert [e["ph"] for e in events] == sorted((e["ph"] for e in events), key=lambda ph: ph != "M"), "metadata first"
    named = Counter((e["pid"], e["tid"]) for e in events if e["name"] == "thread_name")
    assert set(named) == {(e["pid"], e["tid"]) for e in slices}
    assert set(named.values()) <= {1}
    by_thread = defaultdict(list)
    for e in slices:
        by_thread[e["pid"], e["tid"]].append((round(e["ts"] * 1000), round((e["ts"] + e["dur"]) * 1000)))
    for stretches in by_thread.values():
        stretches.sort()
        assert all(one[1] <= two[0] for one, two in zip(stretches, stretches[1:])), "slices of a thread never cross"
    starts, ends = ({e["id"]: e for e in events if e["ph"] == ph} for ph in "sf")
    assert len(starts) + len(ends) == sum(e["ph"] in "sf" for e in events), "one start and one end for each id"
    assert starts.keys() == ends.keys()
    inside = {(e["pid"], e["tid"], e["ts"]) for e in slices}
    for number, start in starts.items():
        end = ends[number]
        assert start["ts"] <= end["ts"]
        assert end["bp"] == "e"
        assert {(e["pid"], e["tid"], e["ts"]) for e in (start, end)} <= inside, "each end of an arrow is on a slice"


def bytes_of(events, kind):
    found = Counter()
    for e in events:
        if e.get("cat") == kind:
            found[e["args"]["src"], e["args"]["dst"]] += e["args"]["bytes"]
    return found


WORLDS = {
    "plain": {},
    "latency and overhead": {"link": Link(3e-6, 1e-6, 1e9)},
    "delays that overlap": {"faults": Faults(delay_s=5e-5), "seed": 3},
    "one slow line": {"links": {(0, 1): Link(latency_s=1e-3, bandwidth_Bps=1e7)}},
}


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("K", [1, 2, 5])
def test_a_run_keeps_the_rules_of_the_format_and_has_every_byte_of_the_ledger(world, K, tmp_path):
    settings = WORLDS[world] if K > 1 else {}
    run = SimWorld(K, **settings).run(program, 103)
    events = chrome(run.trace, tmp_path)
    check_rules(events)
    links = {(src, dst): run.ledger.link(src, dst) for src in range(K) for dst in range(K) if src != dst}
    for kind in ("out-port", "in-port"):
        found = bytes_of(events, kind)
        assert {link: count for link, count in found.items() if link[0] != link[1]} == {
            link: count for link, count in links.items() if count}
    assert sum(e["ph"] == "s" for e in events) == len(run.trace)
    processes = {e["pid"]: e["args"]["name"] for e in events if e["name"] == "process_name"}
    assert processes == {rank + 1: f"rank {rank}" for rank in range(K)}


def test_moments_are_microseconds_of_the_trace(tmp_path):
    message = Event(0, 2, "tensor", "7", 4_000, 1e-6, 2e-6, 6e-6, 16e-6, 20.5e-6)
    letter = Event(2, 1, "mail", "push", 9, 0.0, 0.0, 0.0, 1e-9, 1e-9)
    trace = Trace(3, [message, letter], [Span(1, "compute", 0.0, 1.5e-6), Span(0, "wait", 3e-6, 4e-6)])
    events = chrome(trace, tmp_path)
    check_rules(events)
    slices = {e["name"]: (e["ts"], e["dur"], e["pid"]) for e in events if e["ph"] == "X"}
    assert slices == {"tag 7 to rank 2": (2, 4, 1), "tag 7 from rank 0": (12, 4, 3), "push to rank 1": (0, 0, 3),
                      "push from rank 2": (0.001, 0, 2), "compute": (0, 1.5, 2), "wait": (3, 1, 1)}
    args = next(e["args"] for e in events if e["name"] == "tag 7 to rank 2")
    assert args == {"src": 0, "dst": 2, "plane": "tensor", "tag": "7", "bytes": 4_000, "posted_us": 1, "arrived_us": 16,
                    "received_us": 20.5}
    threads = {(e["pid"], e["args"]["name"]) for e in events if e["name"] == "thread_name"}
    assert threads == {(1, "out-port"), (1, "program"), (2, "in-port"), (2, "program"), (3, "in-port"), (3, "out-port")}


def test_what_overlaps_gets_a_thread_of_its_own(tmp_path):
    together = [Event(0, dst, "mail", "x", 1, 0.0, 0.0, 3e-6, 5e-6, 5e-6) for dst in (1, 2)]
    after = Event(0, 1, "mail", "x", 1, 0.0, 3e-6, 4e-6, 9e-6, 9e-6)
    events = chrome(Trace(3, [*together, after]), tmp_path)
    check_rules(events)
    assert sorted(e["args"]["name"] for e in events if e["name"] == "thread_name" and e["pid"] == 1) == [
        "out-port", "out-port (2)"]
    first, second, third = (e["tid"] for e in events if e.get("cat") == "out-port")
    assert first == third != second


def test_collectives_are_named_and_equal_seeds_give_equal_bytes(tmp_path):
    names = []
    for i in range(2):
        run = SimWorld(3, seed=5, faults=Faults(delay_s=1e-5)).run(program, 11)
        names.append({e["name"] for e in chrome(run.trace, tmp_path, f"{i}.json")})
    assert (tmp_path / "0.json").read_bytes() == (tmp_path / "1.json").read_bytes()
    assert {"all_reduce to rank 1", "hello from rank 2", "to myself to rank 0", "wait", "compute", "sleep"} <= names[0]


def test_an_empty_trace_is_a_file_too(tmp_path):
    assert [e["ph"] for e in chrome(Trace(2), tmp_path)] == ["M"] * 4
