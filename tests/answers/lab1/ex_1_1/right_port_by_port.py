"""Adds up what each message puts on each port."""

LONG = True


def busiest_link(K, S, P, overlap):
    def busiest(owners, machines):
        out = [0] * machines
        for owner in owners:
            for worker in range(K):
                if worker != owner:
                    out[owner] += 4 * P // len(owners)
                    out[worker] += 4 * P // len(owners)
        return max(out)
    return {"ring": 2 * (K - 1) * (4 * P // K), "one server": busiest([K], K + 1),
            "servers": busiest(range(K, K + S), K + S), "beside": busiest(range(min(S, K)), K)}


def times_slower(K, overlap):
    server, ring = K + (1 - overlap) * K, 2 * (K - 1) / K
    return server / ring
