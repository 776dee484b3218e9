"""The check cell: criteria on the public seed, printed; never raises."""

from __future__ import annotations
