"""float64."""

BASE = "right_numpy"
REFUSED_BY = "bytes of a row"
MISCONCEPTION = "7/wrong-width"
LONG = True


def pack8(codes, scale, least):
    tail = np.concatenate([scale, least], axis=1).astype("<f8").view(np.uint8)
    return np.concatenate([codes.astype(np.uint8), tail], axis=1)
