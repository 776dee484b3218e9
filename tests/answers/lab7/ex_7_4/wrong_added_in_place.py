"""+= with duplicates, then halved."""

BASE = "right_numpy"
REFUSED_BY = "gradients of both"
MISCONCEPTION = "7/wrong-gradient"
LONG = True


def qr_backward(ids, grad, remainders, quotients):
    first, second = places(ids, remainders, quotients)
    of_first, of_second = np.zeros_like(remainders), np.zeros_like(quotients)
    np.add.at(of_first, first, grad * quotients[second] / 2)
    np.add.at(of_second, second, grad * remainders[first] / 2)
    return of_first, of_second
