"""Written right, read the wrong way."""

BASE = "right_numpy"
REFUSED_BY = "four bits"
MISCONCEPTION = "7/nibbles-swapped"
LONG = True


def dequantize4(packed):
    scale, least = np.ascontiguousarray(packed[:, -4:]).view("<f2").astype(np.float32).T[:, :, None]
    codes = np.stack([packed[:, :-4] >> 4, packed[:, :-4] & 15], axis=2).reshape(len(packed), -1)
    return codes.astype(np.float32) * scale + least
