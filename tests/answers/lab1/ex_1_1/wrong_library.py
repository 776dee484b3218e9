"""The kit's own formulas."""

BASE = "right_formulas"
REFUSED_BY = "printed settings"
MISCONCEPTION = "all/forbidden"
LONG = True


def busiest_link(K, S, P, overlap):
    from pslab import cost
    return {"ring": cost.ring_all_reduce(P, K).busiest, "one server": cost.parameter_server(P, K).busiest,
            "servers": cost.parameter_server(P, K, S).busiest,
            "beside": cost.colocated_servers(P, K, min(S, K)).busiest}
