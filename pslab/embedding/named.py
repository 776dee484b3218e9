"""Modules by the names of tables, whatever these are.

    nn.ModuleDict     refuses "items", "keys", "values", "type", ...: names of its own methods
    NamedTables       takes them: tables["items"].weight, and `tables.items.weight` in a state_dict

Refused are the few names that torch keeps an attribute of the module itself under, such as "training".
"""

from __future__ import annotations

from torch import nn


class NamedTables(nn.ModuleDict):
    """{table name: module}, in order. ValueError for a name that torch sets on every module."""

    def add_module(self, name: str, module: nn.Module) -> None:
        if name in self.__dict__:
            raise ValueError(f"name={name!r} of a table; torch.nn.Module keeps something else under that name: another "
                             f"name is needed")
        self._modules[name] = module
