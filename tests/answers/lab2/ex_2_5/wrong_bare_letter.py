"""Sends no incarnation."""

BASE = "right_mark"
REFUSED_BY = "until it is acknowledged"
MISCONCEPTION = "2/not-the-push-agreed"
LONG = True


def push_all(comm, server, incarnation, pushes, window, retry_s):
    for number, push in enumerate(pushes):
        comm.post(server, "push", {"q": number}, push)
