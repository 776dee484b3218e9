"""All links together."""

BASE = "right_formulas"
REFUSED_BY = "printed settings"
MISCONCEPTION = "1/total-for-busiest"


def busiest_link(K, S, P, overlap):
    return {"ring": 8 * P * (K - 1), "one server": 8 * P * K, "servers": 8 * P * K, "beside": 8 * P * (K - 1)}
