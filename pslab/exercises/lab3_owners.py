"""3.1: three ways to say which server owns a key.

    by ranges      0 1 2 3 │ 4 5 6 │ 7 8 9        R rows on S servers, in order
    by a hash      h(key) mod S                   spread evenly, whatever the keys look like
    on a ring      ──•──○──▲──•──○──•──▲──        128 points a server; a key belongs to the next point to its right

    10 -> 11 servers: a hash mod S moves 91 % of the keys, the ring 9 %, all of them to the newcomer
"""

from __future__ import annotations

from pslab.grade import Criterion, Exercise, Misconception

from . import lab3_owner_checks as checks
from .lab3_common import FORBIDDEN, told


def _tables(rng):
    """(R, S): one that divides and some that do not, one server, more servers than rows, none, and a very long one."""
    return [(10, 3), (12, 4), (100, 7), (100, 50), (9, 1), (7, 7), (3, 8), (0, 2), (2**40 + 5, 6)]


MISCONCEPTIONS = (
    *told("3/no-such-server", "3/range-off-by-one"),
    Misconception("3/not-contiguous", "The owners of consecutive rows go up and down; a range is one piece of the "
                  "table, which is what lets a whole range travel without a list of keys."),
    Misconception("3/uneven-ranges", "Some ranges are longer than others by more than one row; of the R mod S rows "
                  "that are left over, R mod S servers take one each."),
    Misconception("3/more-servers-than-rows", "With more servers than rows some servers have nothing, and that is "
                  "all; no range is longer than one row then."),
    Misconception("3/list-of-all-rows", "You made a list with an entry for every row of the table; who owns a row "
                  "follows from three numbers, and tables have more rows than a machine has memory."),
    Misconception("3/owner-of-a-place", "The owner of a key changed with the other keys of the request; it depends on "
                  "the key alone, or two workers would look for one row in two places."),
    Misconception("3/hash-per-process", "Another process gave other owners: Python draws anew in every process how "
                  "hash() treats text and bytes (PYTHONHASHSEED), so workers would look for a row where it never was; "
                  "take a hash that is arithmetic alone, such as one of hashlib or a fixed mixing of bits."),
    Misconception("3/modulo-is-no-hash", "That is the key modulo S: of a whole number, Python's hash() is the number "
                  "itself; keys in steps of a multiple of S then share one server, so mix the bits first."),
    Misconception("3/uneven-hash", "Keys with a pattern pile up on some servers; every bit of the key has to reach the "
                  "bits that you take modulo S, the uppermost ones too."),
    Misconception("3/one-point-a-server", "The arcs of the ring differ too much; with one point a server the busiest "
                  "has 2 to 4.5 times the mean, and it takes 128 points each, spread independently of each other, to "
                  "come near it."),
    Misconception("3/keys-not-hashed", "Nearly all keys are on one server; keys have to be hashed onto the ring as the "
                  "points are, since small numbers all lie on its first arc."),
    Misconception("3/modulo-moves-everything", "With one server more nearly every key moves: a remainder changes with "
                  "what it is divided by, from 10 to 11 servers for 91 % of the keys, where 9 % would do."),
    Misconception("3/old-servers-swap", "Keys move between servers that were there before; a newcomer's points may "
                  "only take from others, so the points of a server depend on nothing but its own number."),
    Misconception("3/newcomers-share", "The newcomer does not get its share of the keys; it brings as many points as "
                  "everybody else, 128, and with them 1/(S+1) of the keys."),
    Misconception("3/place-for-name", "Keys moved that had nothing to do with the server that left; make points from a "
                  "server's number and not from its place in the list, which changes for all behind it."),
)

OWNERS = Exercise(
    id="3.1", lab="3", title="Who owns a key: three partitioners", names=("range_owner", "hash_owner", "ring_owner"),
    signature="def range_owner(keys, num_rows: int, num_servers: int); def hash_owner(keys, num_servers: int); "
              "def ring_owner(keys, servers: list[int], points: int = 128); each -> owners (n,)",
    points=30, minutes=30, difficulty=2, core=True, prerequisites=("2",), chapter_number="11.3.1", forbidden=FORBIDDEN,
    goal="For keys (n,) int64 return the server of each, (n,) whole numbers: by contiguous ranges of num_rows rows, "
         "whose sizes differ by at most 1; by a hash that is the same in every process and even for any keys; on a "
         "ring with 128 points for each of `servers`, on which only a newcomer's or a leaver's keys move.",
    example="range_owner([0, 3, 4, 9], 10, 3) -> [0, 0, 1, 2]",
    hints=(
        "Ranges: the first R mod S of them are one row longer; where does range s begin? Hash: mix all 64 bits of a "
        "key, then take the remainder. Ring: hash points and keys onto the same circle, and look for the next point.",
        "A mixing of bits for uint64 arrays: x ^= x >> 30; x *= 0xbf58476d1ce4e5b9; x ^= x >> 27; x *= "
        "0x94d049bb133111eb; x ^= x >> 31 (splitmix64). hashlib.blake2b(bytes, digest_size=8) does too, key by key.",
        "Ring: position of point i of server s = mix of 128·s + i, in a way that no key is mixed; sort the positions "
        "and keep who owns each; np.searchsorted(positions, mix(keys)) is the next point, and past the last one comes "
        "the first: take the index modulo the number of points.",
    ),
    misconceptions=MISCONCEPTIONS,
    criteria=(
        Criterion("ranges", checks.ranges(_tables), 6),
        Criterion("the same in every process", checks.in_every_process, 5),
        Criterion("a hash that is even for any keys", checks.even, 5),
        Criterion("ring: no server has too much", checks.balanced, 4),
        Criterion("ring: one comes", checks.one_comes, 4),
        Criterion("ring: one goes", checks.one_goes, 2),
        Criterion("other tables, other servers", checks.elsewhere, 4, hidden=True),
    ),
)
