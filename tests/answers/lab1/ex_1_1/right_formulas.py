"""The four closed forms."""


def busiest_link(K, S, P, overlap):
    here = min(S, K)
    return {"ring": 8 * P * (K - 1) // K, "one server": 4 * P * K, "servers": 4 * P * max(K, S) // S,
            "beside": 4 * P * (K + here - 2) // here}


def times_slower(K, overlap):
    return K * K / (K - 1) * (1 - overlap / 2)
