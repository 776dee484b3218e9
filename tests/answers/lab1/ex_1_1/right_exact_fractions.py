"""Fractions of the model, made whole at the end."""

from fractions import Fraction

LONG = True


def busiest_link(K, S, P, overlap):
    here = min(S, K)
    shares = {"ring": 2 - Fraction(2, K), "one server": Fraction(K), "servers": max(Fraction(K, S), Fraction(1)),
              "beside": 1 + Fraction(K - 2, here)}
    return {name: int(4 * P * share) for name, share in shares.items()}


def times_slower(K, overlap):
    return float((2 - Fraction(overlap)) * K / (2 - Fraction(2, K)))
