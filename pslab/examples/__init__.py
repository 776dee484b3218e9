"""Three models trained on servers, on real data: the same program in the simulator and in processes.

    LogisticExample        sparse logistic regression, a9a        a weight a feature, FTRL       keys of a batch
    FactorisationExample   matrix factorisation, MovieLens u1     a row a user, a row an item    keys of a batch
    MLPExample             a small network, digits                a row a unit                   all of each layer

    run_example(LogisticExample(), workers=4, servers=2, consistency=SSP(3)) ──> ExampleResult
        ranks 0 .. K-1      workers: their part of every batch: pull, compute, push, clock
        ranks K .. K+S-1    servers, which also keep copies of their rows as the run goes on (watch.py)
    run_example(LogisticExample(), workers=1, servers=0)         one process that holds all rows: what to beat

    practical_result("movielens") ──> what de-duplication, a cache and int8 save of a recommender's bytes, and cost

Read on: example.py (what an example is), run.py (the program of a rank), then any of the three; table_effects.py, what
smaller embedding tables cost a model.
"""

from .example import Example, Pace
from .factorisation import FactorisationExample
from .local import LocalTables
from .logistic import LogisticExample, l1_path
from .mlp import MLPExample
from .mode import mode_of, name_of
from .practical import DesignResult, PracticalResult, practical_result
from .practical_tasks import Setting
from .result import ExampleResult, Point
from .run import example_program, run_example
from .table_effects import NAMES as TABLE_VARIANTS
from .table_effects import TableEffect, TableEffects, table_effects

EXAMPLES = {example.name: example for example in (LogisticExample, FactorisationExample, MLPExample)}

__all__ = ["EXAMPLES", "TABLE_VARIANTS", "DesignResult", "Example", "ExampleResult", "FactorisationExample",
           "LocalTables", "LogisticExample", "MLPExample", "Pace", "Point", "PracticalResult", "Setting", "TableEffect",
           "TableEffects", "example_program", "l1_path", "mode_of", "name_of", "practical_result", "run_example",
           "table_effects"]
