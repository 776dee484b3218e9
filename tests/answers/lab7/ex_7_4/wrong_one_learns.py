"""Quotients stay."""

BASE = "right_numpy"
REFUSED_BY = "gradients of both"
MISCONCEPTION = "7/one-table-learns"
LONG = True


def qr_backward(ids, grad, remainders, quotients):
    first, second = places(ids, remainders, quotients)
    of_first, of_second = np.zeros_like(remainders), np.zeros_like(quotients)
    np.add.at(of_first, first, grad * quotients[second])
    of_second += 0
    return of_first, of_second
