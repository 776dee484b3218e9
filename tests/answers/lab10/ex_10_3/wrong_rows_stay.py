"""A new table that nobody sees."""

BASE = "right_two_halves"
REFUSED_BY = "losses of one process"
MISCONCEPTION = "10/rows-stay"
LONG = True

learn = push


def push(comm, table, grad, known, lr):
    learn(comm, table.clone(), grad, known, lr)
