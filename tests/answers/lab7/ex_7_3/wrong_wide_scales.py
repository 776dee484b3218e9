"""float32 for four bits, too."""

BASE = "right_numpy"
REFUSED_BY = "bytes of a row"
MISCONCEPTION = "7/wide-scales"
LONG = True


def pack4(codes, scale, least):
    codes = codes.astype(np.uint8)
    tail = np.concatenate([scale, least], axis=1).astype("<f4").view(np.uint8)
    return np.concatenate([codes[:, 0::2] | codes[:, 1::2] << 4, tail], axis=1)
