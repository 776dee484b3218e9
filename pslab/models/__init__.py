"""Models that know rows and batches, not messages.

    dlrm.py             a recommender, an ordinary torch module
    dlrm_configs.py     its common sizes, by name
    dlrm_torchrec.py    its parameters under TorchRec's names
    logistic.py         sparse logistic regression         \\
    factorisation.py    matrix factorisation with biases    > NumPy in, a loss and gradients by key out
    mlp.py              a small network                    /
"""

from .dlrm import DLRM, INTERACTIONS, cat_interaction, dot_interaction, interaction_width
from .dlrm_configs import DLRM_CONFIGS, DLRMConfig, dlrm_config
from .dlrm_torchrec import from_torchrec, to_torchrec, torchrec_columns
from .factorisation import bias_only, factorisation_step, guesses, rmse
from .logistic import SparseBatch, logistic_accuracy, logistic_scores, logistic_step, sigmoid, sparse_batch
from .mlp import first_layers, layer_shapes, mlp_scores, mlp_step

__all__ = ["DLRM", "DLRM_CONFIGS", "INTERACTIONS", "DLRMConfig", "SparseBatch", "bias_only", "cat_interaction",
           "dlrm_config", "dot_interaction", "factorisation_step", "first_layers", "from_torchrec", "guesses",
           "interaction_width", "layer_shapes", "logistic_accuracy", "logistic_scores", "logistic_step", "mlp_scores",
           "mlp_step", "rmse", "sigmoid", "sparse_batch", "to_torchrec", "torchrec_columns"]
