"""As if they were added."""

BASE = "right_numpy"
REFUSED_BY = "gradients of both"
MISCONCEPTION = "7/gradient-of-a-sum"


def qr_backward(ids, grad, remainders, quotients):
    first, second = places(ids, remainders, quotients)
    of_first, of_second = np.zeros_like(remainders), np.zeros_like(quotients)
    np.add.at(of_first, first, grad)
    np.add.at(of_second, second, grad)
    return of_first, of_second
