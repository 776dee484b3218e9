"""Where data may lie on this machine, and the errors that say it does not.

    $PSLAB_DATA/ml-100k/          a folder that you name; looked at first, never written
    <cache>/ml-100k/              where `pslab data fetch` puts it; $PSLAB_CACHE, or the user's cache folder
    .../a9a/                      beside it in either place, and fetched in the same way
    .../criteo/                   the same; it is yours to put there

Nothing here needs torch or NumPy.
"""

import os
import re
from pathlib import Path

import platformdirs

MOVIELENS_FOLDER = "ml-100k"
CRITEO_FOLDER = "criteo"
A9A_FOLDER, A9A_FILES = "a9a", ("a9a", "a9a.t")
CRITEO_FILES = re.compile(r"(day_\d+|.*\.(tsv|txt))(\.gz)?")
MOVIELENS_FILES = ("u.data", "u.genre", "u.info", "u.item", "u.user")  # those that are read


class DataError(ValueError):
    """A data file that is missing, unreadable or not what its format says."""


class MissingData(DataError):
    """The data set lies nowhere where it is looked for."""


def cache_folder() -> Path:
    """The folder that fetched data goes to: $PSLAB_CACHE, or else the user's cache folder for pslab."""
    named = os.environ.get("PSLAB_CACHE")
    return Path(named) if named else Path(platformdirs.user_cache_dir("pslab"))


def places_of(folder: str) -> dict[str, Path]:
    """Where a data set's folder is looked for, in this order: {what names the place: folder}."""
    places = {}
    if os.environ.get("PSLAB_DATA"):
        places["PSLAB_DATA"] = Path(os.environ["PSLAB_DATA"]) / folder
    places["PSLAB_CACHE" if os.environ.get("PSLAB_CACHE") else "cache"] = cache_folder() / folder
    return places


def movielens_places() -> dict[str, Path]:
    """Where MovieLens-100K is looked for."""
    return places_of(MOVIELENS_FOLDER)


def movielens_folder() -> Path:
    """The first place that holds MovieLens-100K; MissingData says where was looked, and what to do."""
    places = movielens_places()
    for folder in places.values():
        if folder.is_dir():
            return folder
    looked = " and ".join(f"{folder} ({name})" for name, folder in places.items())
    raise MissingData(
        f"MovieLens-100K is not on this machine: looked for {looked}. Run `pslab data fetch movielens-100k`, "
        f"or let PSLAB_DATA name the folder that holds {MOVIELENS_FOLDER}/"
    )


def criteo_folder() -> Path:
    """The first place that holds criteo/; MissingData says where was looked, and what to do."""
    places = places_of(CRITEO_FOLDER)
    for folder in places.values():
        if folder.is_dir():
            return folder
    looked = " and ".join(f"{folder} ({name})" for name, folder in places.items())
    raise MissingData(f"Criteo's data is not on this machine: looked for {looked}. It is not fetched for you: put its "
                      f"files (day_0.gz, train.txt, …) there, or let PSLAB_DATA name the folder that holds "
                      f"{CRITEO_FOLDER}/")


def a9a_folder() -> Path:
    """The first place that holds a9a/; MissingData says where was looked, and what to do."""
    places = places_of(A9A_FOLDER)
    for folder in places.values():
        if folder.is_dir():
            return folder
    looked = " and ".join(f"{folder} ({name})" for name, folder in places.items())
    raise MissingData(f"a9a is not on this machine: looked for {looked}. Run `pslab data fetch a9a`, or let PSLAB_DATA "
                      f"name the folder that holds {A9A_FOLDER}/")


def data_list() -> list[dict[str, str]]:
    """What is where: one {name, state, place, note} per data set and place; looks at file names only."""
    found = [{"name": "synthetic", "state": "built in", "place": "-", "note": "made from a seed, needs nothing"}]
    for source, folder in movielens_places().items():
        missing = [name for name in MOVIELENS_FILES if not (folder / name).is_file()]
        if not folder.is_dir():
            state, note = "absent", "`pslab data fetch movielens-100k` brings it" if source != "PSLAB_DATA" else ""
        elif missing:
            state, note = "incomplete", f"without {', '.join(missing)}"
        else:
            state, note = "present", ""
        found.append({"name": "movielens-100k", "state": state, "place": f"{folder} ({source})", "note": note})
    for source, folder in places_of(CRITEO_FOLDER).items():
        files = [file for file in folder.iterdir() if CRITEO_FILES.fullmatch(file.name)] if folder.is_dir() else []
        state = "present" if files else "empty" if folder.is_dir() else "absent"
        note = "" if files else "put day_0.gz, train.txt or the like there"
        found.append({"name": "criteo", "state": state, "place": f"{folder} ({source})", "note": note})
    for source, folder in places_of(A9A_FOLDER).items():
        missing = [name for name in A9A_FILES if not (folder / name).is_file()]
        if not folder.is_dir():
            state, note = "absent", "`pslab data fetch a9a` brings it" if source != "PSLAB_DATA" else ""
        else:
            state, note = ("incomplete", f"without {', '.join(missing)}") if missing else ("present", "")
        found.append({"name": "a9a", "state": state, "place": f"{folder} ({source})", "note": note})
    return found
