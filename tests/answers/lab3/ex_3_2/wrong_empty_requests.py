"""Asks every server up to the highest number, also for nothing."""

BASE = "right_masks"
REFUSED_BY = "messages and bytes"
MISCONCEPTION = "3/empty-request"


def split(keys, owners):
    return {server: keys[owners == server] for server in range(int(owners.max(initial=0)) + 1)}
