"""Sends each push and waits for its answer without a time."""

BASE = "right_mark"
REFUSED_BY = "until it is acknowledged"
MISCONCEPTION = "2/never-sent-again"
LONG = True


def push_all(comm, server, incarnation, pushes, window, retry_s):
    for number, push in enumerate(pushes):
        comm.post(server, "push", {"n": incarnation, "q": number}, push)
        while comm.poll().meta != {"n": incarnation, "q": number}:
            pass
