"""Tries one server more each time."""


def how_many_servers(K, P, bandwidth_Bps, compute_s):
    wire_s = 2 * 4 * P / bandwidth_Bps
    S = 1
    while compute_s + max(K / S, 1) * wire_s > 1.05 * (compute_s + wire_s):
        S += 1
    return S


def uplink_bytes(K, P, per_rack):
    return K * 4 * P, K // per_rack * 4 * P
