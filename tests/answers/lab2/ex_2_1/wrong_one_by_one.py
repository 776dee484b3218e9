"""A step for each occurrence of a key."""

BASE = "right_searched"
REFUSED_BY = "equal keys are summed"
MISCONCEPTION = "2/duplicates-one-by-one"
LONG = True


def server_handle(state, request):
    refuse_bad(state, request)
    if request["kind"] == "pull":
        unique, inverse = torch.unique(request["keys"], return_inverse=True)
        return look_up(state, unique)[0][inverse]
    for key, val in zip(request["keys"], request["vals"]):
        rows, place, known = look_up(state, key[None])
        put(state, key[None], state.update(rows, val[None]), place, known)
