"""What `pslab demo logistic|factorisation|mlp` can be asked for. Needs no torch, so that --help answers at once."""

from __future__ import annotations

REAL = {"logistic": "a9a", "factorisation": "movielens-100k", "mlp": "digits"}      # the data set of each example


def add_arguments(parser, name: str) -> None:
    """Add the options of one example to an argparse parser."""
    parser.add_argument("--workers", type=int, default=2, metavar="K", help="workers; they compute (default: 2)")
    parser.add_argument("--servers", type=int, default=1, metavar="S", help="servers; they hold the rows (default: 1)")
    parser.add_argument("--mode", default="bsp", metavar="MODE",
                        help="bsp, ssp:S, delay:T or asp: what a worker may see (default: bsp)")
    parser.add_argument("--world", choices=("process", "sim"), default="process",
                        help="processes of this machine, or the simulator on a virtual clock (default: process)")
    parser.add_argument("--data", choices=("auto", REAL[name], "made"), default="auto",
                        help=f"auto is {REAL[name]} where it can be read, else made (default: auto)")
    parser.add_argument("--epochs", type=int, metavar="N", help="passes over the rows (default: the example's)")
    parser.add_argument("--batch-size", type=int, metavar="N",
                        help="rows of a global batch, cut into K parts (default: the example's)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="draws first values, order, made data (0)")
    if name == "logistic":
        parser.add_argument("--l1", type=float, metavar="X", help="strength of FTRL's L1 (default: the example's)")
    parser.add_argument("--json", default=None, metavar="FILE", help="also write all figures to FILE")
