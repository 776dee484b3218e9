"""Keeps the keys of the last push alone."""

BASE = "right_searched"
REFUSED_BY = "push, then pull"
MISCONCEPTION = "2/wrong-rows"
LONG = True


def put(state, unique, rows, place, known):
    if len(unique):
        state.keys, state.rows = unique, rows
