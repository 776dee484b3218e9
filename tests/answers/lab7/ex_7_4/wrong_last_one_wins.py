"""The last of duplicates."""

BASE = "right_numpy"
REFUSED_BY = "gradients of both"
MISCONCEPTION = "7/duplicates-overwritten"
LONG = True


def qr_backward(ids, grad, remainders, quotients):
    first, second = places(ids, remainders, quotients)
    of_first, of_second = np.zeros_like(remainders), np.zeros_like(quotients)
    of_first[first] = grad * quotients[second]
    of_second[second] = grad * remainders[first]
    return of_first, of_second
