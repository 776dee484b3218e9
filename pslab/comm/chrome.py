"""A trace in the Chrome trace event format, which Perfetto (ui.perfetto.dev) and chrome://tracing open.

    process "rank 0"   thread "program"    ▒ wait ▒   █ compute █
                       thread "out-port"   ═══ all_reduce to rank 1 ═══
                                             ╲ flow arrow
    process "rank 1"   thread "in-port"       ═══ all_reduce from rank 0 ═══

Every message is a slice on its sender's out-port and one on its receiver's in-port, joined by an arrow; a slice is as
long as the message held a port, and on the in-port it ends when the last byte is there. What overlaps in time goes to
a second thread of the same name, because slices of one thread may not cross. Moments are whole nanoseconds, written in
microseconds, as the format wants them. The format: "Trace Event Format", Google, 2016, sections on complete events (X),
flow events (s, f) and metadata events (M).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

_THREADS = ("program", "out-port", "in-port")
_LANES = 1000                       # threads of each kind are numbered from 1, 1001 and 2001 on
_FIRST = 1                          # rank 0 is process 1: viewers keep process 0 and thread 0 for the idle machine


def write_chrome(trace, path: str | Path) -> None:
    """Write `trace` (a `Trace`) to `path`; equal traces give equal bytes."""
    with open(path, "w", encoding="utf-8", newline="\n") as file:
        file.write('{"displayTimeUnit":"ns","traceEvents":[\n')
        file.write(",\n".join(json.dumps(event, ensure_ascii=False, separators=(",", ":"))
                              for event in chrome_events(trace)))
        file.write("\n]}\n")


def chrome_events(trace) -> Iterator[dict]:
    """The events in the order of the file: metadata first, then by time."""
    found, threads = [], set()
    for span, lane in _laned((s.rank, _ns(s.start_s), _ns(s.end_s), s) for s in trace.spans):
        rank, start_ns, end_ns, what = span
        threads.add((rank, 0, lane))
        found.append((start_ns, _slice(what.what, "program", start_ns, end_ns, _place(rank, 0, lane), {})))
    out = dict(_laned((e.src, _ns(e.start_s), _ns(e.end_s), i) for i, e in enumerate(trace.events)))
    into = dict(_laned((e.dst, _ns(in_port_s(e)), _ns(e.arrive_s), i) for i, e in enumerate(trace.events)))
    lanes = {(way, stretch[3]): lane for way, laned in ((1, out), (2, into)) for stretch, lane in laned.items()}
    for i, event in enumerate(trace.events):
        out_port, in_port = _place(event.src, 1, lanes[1, i]), _place(event.dst, 2, lanes[2, i])
        threads |= {(event.src, 1, lanes[1, i]), (event.dst, 2, lanes[2, i])}
        start_ns, enter_ns, name = _ns(event.start_s), _ns(in_port_s(event)), event.what
        args = {"src": event.src, "dst": event.dst, "plane": event.plane, "tag": event.tag,
                "bytes": event.payload_bytes, **_moments(event)}
        found += [
            (start_ns, _slice(f"{name} to rank {event.dst}", "out-port", start_ns, _ns(event.end_s), out_port,
                              args)),
            (start_ns, _flow("s", i, start_ns, out_port)),
            (enter_ns, _slice(f"{name} from rank {event.src}", "in-port", enter_ns, _ns(event.arrive_s), in_port,
                              args)),
            (enter_ns, _flow("f", i, enter_ns, in_port)),
        ]
    yield from _metadata(trace.world_size, threads)
    for _, event in sorted(found, key=lambda pair: pair[0]):
        yield event


def in_port_s(event) -> float:
    """When the first byte of a message enters its receiver's port: as long before the last as it left the sender's."""
    return max(event.arrive_s - (event.end_s - event.start_s), event.start_s)


def _laned(stretches: Iterable[tuple]) -> Iterator[tuple[tuple, int]]:
    """Each (rank, start, end, what) with the lowest lane of its rank that is free then: one unless some overlap."""
    free: dict[int, list[int]] = {}
    for stretch in sorted(stretches, key=lambda s: s[:3]):
        rank, start_ns, end_ns, _ = stretch
        lanes = free.setdefault(rank, [])
        lane = next((lane for lane, free_ns in enumerate(lanes) if free_ns <= start_ns), len(lanes))
        lanes[lane:lane + 1] = [end_ns]
        yield stretch, lane


def _place(rank: int, kind: int, lane: int = 0) -> dict:
    return {"pid": rank + _FIRST, "tid": kind * _LANES + lane + _FIRST}


def _slice(name: str, kind: str, start_ns: int, end_ns: int, place: dict, args: dict) -> dict:
    return {"name": name, "cat": kind, "ph": "X", "ts": _us(start_ns), "dur": _us(end_ns - start_ns), **place,
            "args": args}


def _flow(phase: str, number: int, moment_ns: int, place: dict) -> dict:
    binding = {"bp": "e"} if phase == "f" else {}          # ends at the slice around it, not at the next one
    return {"name": "message", "cat": "flow", "ph": phase, "id": number, "ts": _us(moment_ns), **place, **binding}


def _metadata(world_size: int, threads: set) -> Iterator[dict]:
    for rank in range(world_size):
        for what, args in (("name", {"name": f"rank {rank}"}), ("sort_index", {"sort_index": rank})):
            yield {"name": f"process_{what}", "ph": "M", "pid": rank + _FIRST, "args": args}
    for rank, kind, lane in sorted(threads):
        place, name = _place(rank, kind, lane), _THREADS[kind] + (f" ({lane + 1})" if lane else "")
        for what, args in (("name", {"name": name}), ("sort_index", {"sort_index": place["tid"]})):
            yield {"name": f"thread_{what}", "ph": "M", **place, "args": args}


def _moments(event) -> dict:
    return {f"{name}_us": _us(_ns(moment_s)) for name, moment_s in
            (("posted", event.posted_s), ("arrived", event.arrive_s), ("received", event.received_s))}


def _ns(seconds: float) -> int:
    return round(seconds * 1e9)


def _us(ns: int) -> float:
    return ns / 1000
