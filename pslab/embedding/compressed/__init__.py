"""Tables that take fewer bytes: fewer bits a value, fewer rows, or fewer columns.

    fewer bits      Int8Rows, Int4Rows     R rows of D + 8 or D/2 + 4 bytes instead of 4·D        int8.py, int4.py
    fewer rows      HashedEmbedding        R ids on m rows, some of them shared                   hashing.py
                    QuotientRemainder      R ids on pairs of ⌈R/m⌉ + m rows, none shared          quotient_remainder.py
    fewer columns   MixedDimension         rare ids get short rows and a projection to D          mixed.py

All of them are modules that are called as torch.nn.EmbeddingBag is: ids and offsets in, pooled rows (B, D) out.
`int8.encode` and `int8.decode` (and those of int4) turn rows into bytes and back by themselves, as for a message.
"""

from importlib import import_module

from . import int4, int8
from .rounding import Stochastic

_WHERE = {
    "CompressedBagCollection": "collection",
    "HashedEmbedding": "hashing",
    "Int4Rows": "packed",
    "Int8Rows": "packed",
    "MixedDimension": "mixed",
    "PackedRows": "packed",
    "QuotientRemainder": "quotient_remainder",
    "collisions": "hashing",
    "expected_rows_used": "hashing",
    "popularity_dims": "mixed",
    "stable_hash": "hashing",
}

__all__ = ["CompressedBagCollection", "HashedEmbedding", "Int4Rows", "Int8Rows", "MixedDimension", "PackedRows",
           "QuotientRemainder", "Stochastic", "collisions", "expected_rows_used", "int4", "int8", "popularity_dims",
           "stable_hash"]


def __getattr__(name: str):
    """Import the file that holds `name` on first use."""
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it offers {', '.join(sorted(__all__))}")
    return getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
