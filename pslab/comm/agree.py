"""What the logs of all ranks say when a run stands still: whose collective calls differ, and who has not come.

    group 0, call 7    rank 0  all_reduce(float32[4], op='sum')  a.py:3      differing():  rank 1 asked for another op
                       rank 1  all_reduce(float32[4], op='max')  a.py:5
                       rank 2  made 6 calls, waits in recv(src=0)            missing():    rank 2 has not made it

Two logs that differ are proof enough, whatever the ranks do now: the n-th calls of a group must be equal. A rank that
has not made a call yet may only be late, so it is named as missing when nothing can move any more.
"""

from __future__ import annotations

from .calls import CallLog
from .errors import Disagreement, Wait, rank_list


def told(logs: dict[int, CallLog]) -> list[list]:
    """A rank's logs in values that travel: [group, its members, calls made, [[number, call, where], …]] each."""
    return [[group, list(log.members), log.count, log.calls()] for group, log in list(logs.items()) if log.count]


def inside(logs: dict[int, CallLog], tag: int) -> tuple[int, int, str] | None:
    """(group, number, call) of the collective call that a message with this tag belongs to."""
    for group, log in list(logs.items()):               # a strand of the rank may begin a log meanwhile
        number = log.find(tag)
        if number:
            return group, number, log.text(number)
    return None


def wait_in(found: tuple[int, int, str] | None, rank: int, call: str, *rest) -> Wait:
    """The row of a rank that waits in `call`: by the collective that it is in (see `inside`), where it is in one."""
    if found is None:
        return Wait(rank, call, *rest)
    if call.startswith("wait() of"):                         # what was started in the background keeps its own words
        return Wait(rank, call, *rest, found[:2])
    peer, waited_s, where, note = rest
    if call != found[2]:
        note = f"in {call}" + (f"; {note}" if note else "")
    return Wait(rank, found[2], peer, waited_s, where, note, found[:2])


def differing(said: dict[int, list], waits: list[Wait] = (), undelivered: list[str] = ()) -> Disagreement | None:
    """The first call of a group that its ranks made differently; `said` is what each rank `told`."""
    for group, members in _groups(said).items():
        made = {rank: {number: (call, where) for number, call, where in calls}
                for rank in members for which, _, _, calls in said.get(rank, ()) if which == group}
        for number in sorted({number for calls in made.values() for number in calls}):
            calls = {rank: by[number] for rank, by in made.items() if number in by}
            if len({call for call, _ in calls.values()}) > 1:
                counts = {rank: _count(said, rank, group) for rank in members}
                late = [rank for rank in members if counts[rank] < number]
                rows = _gathered(calls) + [(rank_list([rank]), "(not in it)", _now(rank, waits)) for rank in late]
                return Disagreement(f"ranks disagree: collective call {number} of ranks {rank_list(members)} is not "
                                    "the same on all of them", rows, waits, undelivered)
    return None


def missing(said: dict[int, list], waits: list[Wait]) -> list[str]:
    """One sentence for each collective call in which ranks wait and which others of the group have not made, or made
    so long ago that their logs have forgotten it. Where nobody waits: for each group whose ranks made unequally many.
    """
    inside_of: dict[tuple, list[Wait]] = {}
    for wait in waits:
        if wait.inside is not None:
            inside_of.setdefault(tuple(wait.inside), []).append(wait)
    groups, sentences = _groups(said), []
    for (group, number), here in sorted(inside_of.items()):
        members = groups.get(group, ())
        late = [rank for rank in members if _count(said, rank, group) < number]
        if late:
            ranks = [wait.rank for wait in here]
            verb = "waits" if len(ranks) == 1 else "wait"
            absent = "; ".join(f"rank {rank} is not in it: it {_now(rank, waits)}" for rank in late[:8])
            more = f"; nor are {len(late) - 8} more" if len(late) > 8 else ""
            sentences.append(f"{_ranks(ranks)} {verb} in {_call(said, here[0])} at {here[0].where or '-'}, collective "
                             f"call {number} of ranks {rank_list(members)}; {absent}{more}")
        sentences += _far_ahead(said, members, group, number)
    return sentences if waits else [_unequal(said, members, group) for group, members in groups.items()
                                    if len({_count(said, rank, group) for rank in members}) > 1]


def _far_ahead(said: dict[int, list], members: list[int], group: int, number: int) -> list[str]:
    """Of ranks that have forgotten a call in which others wait: what they called last."""
    logged = {rank: _logged(said, rank, group) for rank in members}
    ahead = [(rank, *calls[-1]) for rank, calls in logged.items() if calls and calls[0][0] > number]
    group_call = f"call {number} of ranks {rank_list(members)}"
    return [f"rank {rank} has gone on from {group_call} to call {last}, {call} at {where}"
            for rank, last, call, where in ahead[:8]]


def _unequal(said: dict[int, list], members: list[int], group: int) -> str:
    """Who made a call of this group that others, whose programs are over too, did not make."""
    counts = {rank: _count(said, rank, group) for rank in members}
    least = min(counts.values())
    late, more = ([rank for rank in members if (counts[rank] == least) is few] for few in (True, False))
    logs = {rank: _logged(said, rank, group) for rank in more}
    here = {rank: row for rank, log in logs.items() for row in log if row[0] == least + 1}
    if not here:                                         # long forgotten: what one of them called last
        here = {rank: log[-1] for rank, log in logs.items() if log[-1:]}
        here = dict(list(here.items())[:1])
    number, call, where = next(iter(here.values()), (least + 1, "a call", "-"))
    return (f"{_ranks(list(here) or more)} made {call} at {where}, collective call {number} of ranks "
            f"{rank_list(members)}; {_ranks(late)} made only {least}")


def _logged(said: dict[int, list], rank: int, group: int) -> list[list]:
    return next((calls for which, _, _, calls in said.get(rank, ()) if which == group), [])


def _groups(said: dict[int, list]) -> dict[int, list[int]]:
    return {group: members for calls in said.values() for group, members, _, _ in calls}


def _count(said: dict[int, list], rank: int, group: int) -> int:
    return next((count for which, _, count, _ in said.get(rank, ()) if which == group), 0)


def _call(said: dict[int, list], wait: Wait) -> str:
    """The collective call that the rank waits in."""
    group, number = wait.inside
    return next((call for which, _, _, calls in said.get(wait.rank, ()) if which == group
                 for made, call, _ in calls if made == number), wait.call)


def _gathered(calls: dict[int, tuple[str, str]]) -> list[tuple[str, str, str]]:
    """(ranks, call, where), one row for all ranks that made the same call on the same line."""
    by: dict[tuple[str, str], list[int]] = {}
    for rank, call in calls.items():
        by.setdefault(call, []).append(rank)
    return [(rank_list(ranks), *call) for call, ranks in by.items()]


def _now(rank: int, waits: list[Wait]) -> str:
    wait = next((wait for wait in waits if wait.rank == rank), None)
    if wait is None or wait.call == "finished":
        return "has finished"
    if wait.call in ("computing", "stopped"):
        return f"is {wait.call} {wait.note}".rstrip()
    which = "" if wait.inside is None else f" (another group, its call {wait.inside[1]})"
    return f"is in {wait.call}{which}" + (f" at {wait.where}" if wait.where else "")


def _ranks(ranks: list[int]) -> str:
    return f"rank{'s' * (len(ranks) > 1)} {rank_list(ranks)}"
