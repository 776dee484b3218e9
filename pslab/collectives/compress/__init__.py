"""Gradients made smaller for the wire: lossy messages, and a residual that gives back what they lost.

    none        Uncompressed                       the ring on what the gradient is
    half        Half("bf16"), Half("fp16")         2 bytes a number                         all-reduce
    one bit     ErrorFeedback(OneBit())            a sign a number, two means a tensor      all-gather
    top-k       ErrorFeedback(TopK(ratio=0.01))    the k largest, with their indices        all-gather
    PowerSGD    ErrorFeedback(PowerSGD(rank=2))    two thin factors of the matrix           two all-reduces

A compressor is asked once for each parameter, by name: `total, sent = compressor.exchange(comm, name, gradient)`.
`ErrorFeedback` goes around any of them. `GradientExchange` does it for all parameters of a model, and `ddp.attach`
for those of a DistributedDataParallel. Bytes are stated by `traffic(shape, K)`, and a run's ledger agrees.
"""

from .compressor import Compressor, Uncompressed
from .error_feedback import ErrorFeedback
from .exchange import GradientExchange
from .half import Half
from .one_bit import OneBit
from .power_sgd import PowerSGD
from .top_k import TopK

__all__ = ["Compressor", "ErrorFeedback", "GradientExchange", "Half", "OneBit", "PowerSGD", "TopK", "Uncompressed"]
