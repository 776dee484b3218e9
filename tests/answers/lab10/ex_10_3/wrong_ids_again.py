"""Ids with the gradients."""

BASE = "right_two_halves"
REFUSED_BY = "sparse bytes"
MISCONCEPTION = "10/ids-again"
LONG = True

learn = push


def push(comm, table, grad, known, lr):
    unique, _, owner, _ = known
    exchange(comm, [unique[owner == q] for q in range(comm.world_size)], tag=4)
    learn(comm, table, grad, known, lr)
