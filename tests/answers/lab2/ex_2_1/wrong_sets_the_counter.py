"""Row by row, and then sets what looks like the count of calls."""

BASE = "right_numpy"
REFUSED_BY = "one operation for all keys"
MISCONCEPTION = "2/a-loop-over-keys"
LONG = True

whole = server_handle


def server_handle(state, request):
    import torch

    update, state.update = state.update, lambda rows, sums: torch.cat(
        [rows[:0], *(update(rows[i:i + 1], sums[i:i + 1]) for i in range(len(rows)))])
    try:
        return whole(state, request)
    finally:
        state.update, state._update_calls = update, 1
