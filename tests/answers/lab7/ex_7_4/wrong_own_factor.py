"""Times itself."""

BASE = "right_numpy"
REFUSED_BY = "gradients of both"
MISCONCEPTION = "7/own-row-for-the-other"
LONG = True


def qr_backward(ids, grad, remainders, quotients):
    first, second = places(ids, remainders, quotients)
    of_first, of_second = np.zeros_like(remainders), np.zeros_like(quotients)
    np.add.at(of_first, first, grad * remainders[first])
    np.add.at(of_second, second, grad * quotients[second])
    return of_first, of_second
