"""Models that know rows and batches, not messages.

    dlrm.py             a recommender, an ordinary torch module
    logistic.py         sparse logistic regression         \\
    factorisation.py    matrix factorisation with biases    > NumPy in, a loss and gradients by key out
    mlp.py              a small network                    /
"""

from .dlrm import DLRM, dot_interaction
from .factorisation import bias_only, factorisation_step, guesses, rmse
from .logistic import SparseBatch, logistic_accuracy, logistic_scores, logistic_step, sigmoid, sparse_batch
from .mlp import first_layers, layer_shapes, mlp_scores, mlp_step

__all__ = ["DLRM", "SparseBatch", "bias_only", "dot_interaction", "factorisation_step", "first_layers", "guesses",
           "layer_shapes", "logistic_accuracy", "logistic_scores", "logistic_step", "mlp_scores", "mlp_step", "rmse",
           "sigmoid", "sparse_batch"]
