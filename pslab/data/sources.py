"""One door to the data sets: load("movielens-100k"), load("criteo"), load("synthetic"), or load("auto") for what
there is."""

from dataclasses import replace

from pslab.data.clicklog import ClickLog
from pslab.data.criteo import criteo_click_log
from pslab.data.folders import DataError
from pslab.data.movielens import movielens_click_log
from pslab.data.synthetic import synthetic_click_log

NAMES = ("auto", "movielens-100k", "criteo", "synthetic")


def load(name: str = "auto", seed: int = 0) -> ClickLog:
    """The click log `name`; seed makes the synthetic one (MovieLens is split by time, nothing in it is drawn).

    "auto" is MovieLens-100K where it can be read, else the synthetic log; the log's note says which, and why. Nothing
    is fetched. Raises ValueError for another name, DataError (a ValueError) where the one that is named cannot
    be read.
    """
    if name == "movielens-100k":
        return movielens_click_log()
    if name == "criteo":
        return criteo_click_log()
    if name == "synthetic":
        return synthetic_click_log(seed)
    if name != "auto":
        raise ValueError(f"data set {name!r} is not known; there are {', '.join(NAMES)}")
    try:
        return movielens_click_log()
    except DataError as error:
        log = synthetic_click_log(seed)
        return replace(log, note=f"{log.note}. Not MovieLens: {error}")
