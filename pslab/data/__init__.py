"""pslab.data: click logs as tensors, and where they come from.

    load("auto") ──> ClickLog ──.batches(size, seed)──> Batch ──.shard(rank, K)──> one worker's piece
                      train, test                        dense    (B, Fd) float32
                      features                           sparse   KeyedJaggedTensor
                                                         labels   (B,)    float32

    jagged.py      bags of ids of unequal length, the layout TorchRec uses
    clicklog.py    Batch, FeatureSpec, ClickLog
    synthetic.py   a log with a planted teacher, so that the best reachable AUC is known
    movielens.py   MovieLens-100K read as clicks
    criteo.py      Criteo's click logs, streamed from disk; criteo_files.py: its days; criteo_vocabulary.py: its values
                   as rows, by how often they occur
    sparse.py      labelled sparse rows; libsvm.py reads them from a file as a stream; a9a.py: the data set
    ratings.py     MovieLens-100K as ratings, split u1
    digits.py      scikit-learn's handwritten digits
    streams.py     ids in the order a table is asked for them: Zipf, MovieLens, text8 (text8.py), Criteo's columns
    folders.py     where data may lie on this machine
    fetch.py       bringing MovieLens-100K and a9a into the user's cache, when asked to
    sources.py     load(): one door to all of them
    loader.py      Loader: any of these logs dealt to K workers, batch by batch; can stop and go on
    feeding.py     Partition: which rows are whose, in which epoch
    metrics.py     AUC, log loss, normalised entropy, calibration

Names are imported when first touched, so that what needs no tensors (`pslab data list`) does not wait for torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING

_WHERE = {
    "JaggedTensor": "jagged",
    "KeyedJaggedTensor": "jagged",
    "Batch": "clicklog",
    "ClickLog": "clicklog",
    "FeatureSpec": "clicklog",
    "concat_batches": "clicklog",
    "synthetic_click_log": "synthetic",
    "CriteoReader": "criteo",
    "CriteoVocabulary": "criteo_vocabulary",
    "Loader": "loader",
    "criteo_click_log": "criteo",
    "item_click_rate_baseline": "movielens",
    "movielens_click_log": "movielens",
    "load": "sources",
    "DataError": "folders",
    "criteo_folder": "folders",
    "MissingData": "folders",
    "cache_folder": "folders",
    "data_list": "folders",
    "movielens_folder": "folders",
    "FetchError": "fetch",
    "SOURCES": "fetch",
    "A9A_TERMS": "fetch",
    "A9A_URL": "fetch",
    "fetch_a9a": "fetch",
    "MOVIELENS_TERMS": "fetch",
    "MOVIELENS_URL": "fetch",
    "fetch_movielens": "fetch",
    "LibsvmFile": "libsvm",
    "SparseRows": "sparse",
    "share_of": "sparse",
    "SparseData": "a9a",
    "sparse_data": "a9a",
    "RatingData": "ratings",
    "Ratings": "ratings",
    "rating_data": "ratings",
    "DigitData": "digits",
    "Pictures": "digits",
    "digit_data": "digits",
    "a9a_folder": "folders",
    "IdStream": "streams",
    "criteo_column": "streams",
    "movielens_items": "streams",
    "movielens_users": "streams",
    "text8_words": "streams",
    "zipf": "streams",
    "Partition": "feeding",
    "auc": "metrics",
    "calibration": "metrics",
    "click_metrics": "metrics",
    "log_loss": "metrics",
    "normalised_entropy": "metrics",
}

__all__ = [
    "A9A_TERMS",
    "A9A_URL",
    "MOVIELENS_TERMS",
    "MOVIELENS_URL",
    "SOURCES",
    "Batch",
    "ClickLog",
    "CriteoReader",
    "CriteoVocabulary",
    "DataError",
    "DigitData",
    "FeatureSpec",
    "FetchError",
    "IdStream",
    "JaggedTensor",
    "KeyedJaggedTensor",
    "LibsvmFile",
    "Loader",
    "MissingData",
    "Partition",
    "Pictures",
    "RatingData",
    "Ratings",
    "SparseData",
    "SparseRows",
    "a9a_folder",
    "auc",
    "cache_folder",
    "calibration",
    "click_metrics",
    "concat_batches",
    "criteo_click_log",
    "criteo_column",
    "criteo_folder",
    "data_list",
    "digit_data",
    "fetch_a9a",
    "fetch_movielens",
    "item_click_rate_baseline",
    "load",
    "log_loss",
    "movielens_click_log",
    "movielens_folder",
    "movielens_items",
    "movielens_users",
    "normalised_entropy",
    "rating_data",
    "share_of",
    "sparse_data",
    "synthetic_click_log",
    "text8_words",
    "zipf",
]

if TYPE_CHECKING:  # for editors: the same names, resolved without running anything
    from pslab.data.a9a import SparseData, sparse_data
    from pslab.data.clicklog import Batch, ClickLog, FeatureSpec, concat_batches
    from pslab.data.criteo import CriteoReader, criteo_click_log
    from pslab.data.criteo_vocabulary import CriteoVocabulary
    from pslab.data.digits import DigitData, Pictures, digit_data
    from pslab.data.feeding import Partition
    from pslab.data.fetch import (
        A9A_TERMS,
        A9A_URL,
        MOVIELENS_TERMS,
        MOVIELENS_URL,
        SOURCES,
        FetchError,
        fetch_a9a,
        fetch_movielens,
    )
    from pslab.data.folders import (
        DataError,
        MissingData,
        a9a_folder,
        cache_folder,
        criteo_folder,
        data_list,
        movielens_folder,
    )
    from pslab.data.jagged import JaggedTensor, KeyedJaggedTensor
    from pslab.data.libsvm import LibsvmFile
    from pslab.data.loader import Loader
    from pslab.data.metrics import auc, calibration, click_metrics, log_loss, normalised_entropy
    from pslab.data.movielens import item_click_rate_baseline, movielens_click_log
    from pslab.data.ratings import RatingData, Ratings, rating_data
    from pslab.data.sources import load
    from pslab.data.sparse import SparseRows, share_of
    from pslab.data.streams import IdStream, criteo_column, movielens_items, movielens_users, text8_words, zipf
    from pslab.data.synthetic import synthetic_click_log


def __getattr__(name: str):
    """Import the file that holds `name` on first use (PEP 562)."""
    if name not in _WHERE:
        raise AttributeError(f"module 'pslab.data' has no attribute {name!r}; it offers {', '.join(sorted(_WHERE))}")
    value = getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_WHERE})
