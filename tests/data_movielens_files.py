"""Small files in the format of MovieLens-100K, drawn from a seed, with the rows they were made of."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

GENRES = ("unknown", "Action", "Children's", "Drama")
OCCUPATIONS = ("writer", "artist", "none", "lawyer")


@dataclass
class Written:
    folder: Path
    ratings: list[tuple[int, int, int, int]]  # user, item, rating, seconds; from 1, in the order of u.data
    users: list[tuple[int, str, str]]  # age, gender, occupation
    items: list[tuple[str, list[int]]]  # release date, genre ids


def write_movielens(folder: Path, seed: int = 0, users: int = 8, items: int = 12, ratings: int = 90) -> Written:
    """Write u.data, u.genre, u.info, u.item, u.user, u1.base and u1.test into `folder`; some seconds occur twice."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    who = [(int(rng.integers(7, 74)), "MF"[i % 2], OCCUPATIONS[i % len(OCCUPATIONS)]) for i in range(users)]
    what = []
    for i in range(items):
        flags = sorted(rng.choice(len(GENRES), size=1 + i % 3, replace=False).tolist())
        what.append(("" if i == 4 else f"{1 + i:02d}-Mar-{1950 + 4 * i}", flags))
    pairs = rng.choice(users * items, size=ratings, replace=False)
    seconds = 880_000_000 + 3600 * rng.integers(0, 40, size=ratings)
    stars = rng.integers(1, 6, size=ratings)
    rows = [
        (int(pair) // items + 1, int(pair) % items + 1, int(star), int(second))
        for pair, star, second in zip(pairs, stars, seconds)
    ]
    lines = {
        "u.data": ["\t".join(map(str, row)) for row in rows],
        "u1.base": ["\t".join(map(str, row)) for row in sorted(rows[ratings // 5 :])],
        "u1.test": ["\t".join(map(str, row)) for row in sorted(rows[: ratings // 5])],
        "u.user": [f"{i}|{age}|{gender}|{job}|55{i:03d}" for i, (age, gender, job) in enumerate(who, 1)],
        "u.genre": [*(f"{name}|{i}" for i, name in enumerate(GENRES)), ""],  # the real file ends in a blank line too
        "u.info": [f"{users} users", f"{items} items", f"{ratings} ratings"],
        "u.item": [
            f"{i}|Amélie {i} (1990)|{date}||http://example.invalid/{i}|"
            + "|".join("1" if genre in flags else "0" for genre in range(len(GENRES)))
            for i, (date, flags) in enumerate(what, 1)
        ],
    }
    for name, text in lines.items():
        (folder / name).write_bytes(("\n".join(text) + "\n").encode("latin-1"))
    return Written(folder, rows, who, what)
