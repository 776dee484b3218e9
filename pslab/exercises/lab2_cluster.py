"""The servers of 2.4 to 2.6, and programs in which a worker's answer meets them: copied into the student's process, so
no reference stands here. Servers note down every letter; judges read the notes.

    ranged     rank 0 pushes or pulls key ranges, server s is rank s + 1
    pushed     groups of a server, which answers and keeps nothing, and K workers, who push until all is acknowledged
    windowed   rank 0 asks through a window; other ranks answer when and in which order their orders say
"""

from __future__ import annotations

import gc
import weakref

import torch

BYE = "bye"


# ---- 2.4 ------------------------------------------------------------------------------------------------------------


def ranged(operation, comm, bounds: list[int], dim: int, calls: list, delays: list) -> dict:
    """calls: [(lo, hi)] or [(lo, hi, vals)]. A server waits its delay before each answer."""
    if comm.rank == 0:
        found, raised, left = [], None, 0
        try:
            for call in calls:
                found.append(operation(comm, bounds, *call, *([] if len(call) == 3 else [dim])))
        except NotImplementedError:
            raise
        except (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
            raised = [f"{type(error).__name__}: {error}"[:300], _line(error)]
        while comm.poll(0.05) is not None:
            left += 1
        for server in range(1, comm.world_size):
            comm.post(server, BYE)
        return {"found": found, "left": left, "raised": raised}
    lo, hi = bounds[comm.rank - 1], bounds[comm.rank]
    numbers = torch.arange(lo - bounds[0], hi - bounds[0]) * dim
    rows, letters = (numbers[:, None] + torch.arange(dim)).float(), []
    while True:
        letter = comm.poll()
        if letter.kind == BYE:
            return {"letters": letters, "rows": rows}
        first, count = letter.meta.get("lo"), letter.meta.get("n")
        tensors = [list(tensor.shape) for tensor in letter.tensors]
        letters.append([letter.kind, first, count, tensors, [str(t.dtype) for t in letter.tensors]])
        if type(first) is not int or type(count) is not int:
            continue                                        # no request: nothing to answer
        comm.compute(delays[comm.rank - 1])
        at = torch.arange(first, first + max(count, 0)) - lo
        inside = (at >= 0) & (at < hi - lo)
        if letter.kind == "push":
            if len(letter.tensors) == 1 and list(letter.tensors[0].shape) == [len(at), dim]:
                rows[at[inside]] += letter.tensors[0][inside].float()
            comm.post(letter.src, "ack", {"lo": first})
        elif letter.kind == "pull":
            answer = torch.full((len(at), dim), -1.0)
            answer[inside] = rows[at[inside]]
            comm.post(letter.src, "rows", {"lo": first}, [answer])


def _line(error) -> str:
    """The innermost line of the student's: their files are no paths."""
    found, trace = "", error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        if "/" not in code.co_filename and not code.co_filename.startswith("<"):
            found = f"{code.co_filename}, line {trace.tb_lineno} in {code.co_name}"
        trace = trace.tb_next
    return found


# ---- 2.5 ------------------------------------------------------------------------------------------------------------


def pushed(push_all, comm, work: list, window: int, retry_s: float, habits: dict) -> dict:
    """work[g][k]: (incarnation, keys (n,), vals (n,)) of worker k of group g. A group is K + 1 ranks, the server first,
    and has nothing to do with the others. habits of the servers:

    ignore      {number: how many copies of it are taken for lost}
    hold        so many letters are gathered before any is answered (0: none)
    copies      how often each letter is answered
    stale       before its first answer, acknowledge `stale` numbers of the incarnation before
    """
    group, place = divmod(comm.rank, len(work[0]) + 1)
    server = comm.rank - place
    if place > 0:
        incarnation, keys, vals = work[group][place - 1]
        pushes = [(keys[i:i + 1].clone(), vals[i:i + 1].clone()) for i in range(len(keys))]
        push_all(comm, server, incarnation, pushes, window, retry_s)
        done_s = comm.now()
        comm.post(server, BYE)                                   # it may be lost: then a long silence ends the server
        return {"done_s": done_s}
    letters, ignored, held, most, last_ack_s, first = [], dict(habits["ignore"]), [], 0, 0.0, True
    gone: set = set()
    while True:
        letter = comm.poll(retry_s / 4 if held else 20 * retry_s)
        if letter is not None and letter.kind == BYE:
            gone.add(letter.src)
            if len(gone) < len(work[0]):
                continue
        if (letter is None and not held) or len(gone) == len(work[0]):
            return {"letters": letters, "most": most, "last_ack_s": last_ack_s}
        if letter is not None:
            life, number = letter.meta.get("n"), letter.meta.get("q")
            good = type(life) is int and type(number) is int and len(letter.tensors) == 2
            key, val = (float(t.reshape(-1)[0]) for t in letter.tensors) if good else (-1, 0)
            letters.append([letter.src, life, number, int(key), val, comm.now(), letter.kind])
            if not good:
                continue
            if first:
                for stale in range(habits["stale"]):
                    comm.post(letter.src, "ack", {"n": life - 1, "q": stale})
                first = False
            if ignored.get(number, 0) > 0:
                ignored[number] -= 1
                letters[-1][6] = "lost"
                continue
            held.append((letter.src, life, number))
            most = max(most, len(set(held)))
        if letter is None or len(held) > habits["hold"]:
            for src, life, number in held:
                for _ in range(habits["copies"]):
                    comm.post(src, "ack", {"n": life, "q": number})
            last_ack_s, held = comm.now(), []


# ---- 2.6 ------------------------------------------------------------------------------------------------------------


def windowed(Window, comm, size: int, script: list, orders: dict) -> dict:
    """script: ('ask', server, key) or ('wait', which ask). What every step gave, and when. Orders of the servers:

    hold      gather so many requests, or until nothing comes for a while, and answer the last one first (0: at once)
    delay_s   {rank: seconds before each answer}
    """
    if comm.rank == 0:
        window, asked, steps, answers = Window(comm, size), [], [], []
        for what, *more in script:
            if what == "ask":
                asked.append(window.ask(*more))
                steps.append((None, comm.now()))
            else:
                value = window.wait(asked[more[0]])
                at_s = comm.now()
                if isinstance(value, torch.Tensor):
                    answers.append(weakref.ref(value))       # the caller forgets them: who has one still keeps it
                    value = value.clone()
                steps.append((value, at_s))
        for server in range(1, comm.world_size):
            comm.post(server, BYE)
        value = None
        gc.collect()
        kept = max(_numbers(window, {id(comm)}), sum(answer() is not None for answer in answers))
        return {"steps": [list(step) for step in steps], "kept": kept}
    held, most, asked, ended = [], 0, [], False
    while not (ended and not held):
        letter = comm.poll(orders["patience_s"] if held else None)
        if letter is not None and letter.kind == BYE:
            ended, letter = True, None
        if letter is not None:
            asked.append([letter.kind, letter.meta.get("q"), letter.meta.get("key")])
            held.append(letter.meta)
            most = max(most, len(held))
        if letter is None or len(held) > orders["hold"]:
            for meta in reversed(held):
                comm.compute(orders["delay_s"].get(comm.rank, 0.0))
                comm.post(0, "rows", {"q": meta.get("q")}, [torch.tensor([float(meta.get("key") or 0) * 10])])
            held = []
    return {"most": most, "asked": asked}


def _numbers(thing, known: set) -> int:
    """How many numbers and tensors a structure holds, in objects of any kind; `known`: ids not looked into."""
    if isinstance(thing, (int, float, torch.Tensor)):
        return int(not isinstance(thing, bool))
    if id(thing) in known or isinstance(thing, (str, bytes)) or callable(thing):
        return 0
    known.add(id(thing))
    if isinstance(thing, dict):
        return sum(_numbers(part, known) for pair in thing.items() for part in pair)
    if isinstance(thing, (list, tuple, set, frozenset)) or type(thing).__name__ == "deque":
        return sum(_numbers(part, known) for part in thing)
    slots = [getattr(thing, name, None) for kind in type(thing).__mro__ for name in getattr(kind, "__slots__", ())]
    return _numbers([*slots, getattr(thing, "__dict__", {})], known)
