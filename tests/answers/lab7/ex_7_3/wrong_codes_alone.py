"""Codes, and nothing beside them."""

BASE = "right_numpy"
REFUSED_BY = "bytes of a row"
MISCONCEPTION = "7/no-scale-kept"
LONG = True


def quantize8(rows):
    scale, least = scales(rows, 255)
    return np.clip(nearest((rows - least) / scale), 0, 255).astype(np.uint8)
