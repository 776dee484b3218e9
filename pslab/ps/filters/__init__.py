"""Filters of letters between workers and servers, to save bytes (Li et al., OSDI 2014, section 3.6).

    KVWorker(comm, servers, tables, filters=[SignificantlyModified(0.01), ValueCompression("fp16"), KeyCaching()])
    KVWorker(comm, servers, tables, filters={"user": [KeyCaching()]})             or by table

    push(keys, vals) ── significant? ──> letter per server ── compress vals ── keys or their hash ──> server: serve()

                              saves                                          changes
    KeyCaching                8(n - 1) bytes of a list of n keys sent again   nothing
    ValueCompression          half of the values; int8: all but dim + 4       values are rounded
    SignificantlyModified     whole rows                                     when gradients arrive; not their sum

They work in this order whatever that of the list. The ledger counts what travels; KVWorker.stats() counts requests as
they are before the filters, filter_stats() what these saved.
"""

from .base import Filter
from .compression import ValueCompression
from .key_caching import KeyCaching
from .server_end import ServerEnd
from .significant import SignificantlyModified
from .worker_end import WorkerFilters

__all__ = ["Filter", "KeyCaching", "ServerEnd", "SignificantlyModified", "ValueCompression", "WorkerFilters"]
