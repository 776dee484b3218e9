"""Update rules: what a gradient does to a row. base.py says what a rule is; one family a file."""

from .adaptive import AdaGrad, Adam, RMSProp, RowWiseAdaGrad
from .base import Rule
from .custom import Custom
from .descent import SGD, Momentum
from .ftrl import FTRL

__all__ = ["FTRL", "SGD", "AdaGrad", "Adam", "Custom", "Momentum", "RMSProp", "RowWiseAdaGrad", "Rule"]
