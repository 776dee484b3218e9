"""The main job: one recommender, trained three ways on the same batches (`pslab demo`).

    options.py    what can be asked for, and what is refused before anything starts
    train.py      the strategies one after the other, with a progress bar; test scores      measured
    modelled.py   bytes on the busiest port for K = 2 ... 64                                modelled
    words.py      the table, and sentences computed from its figures
    picture.py    the same as an image
    examples.py   `pslab demo logistic`, `factorisation`, `mlp`: one model on servers, beside one process alone

Importing this room needs neither torch nor NumPy, so that `pslab demo --help` answers at once.
"""

from .options import Options, add_arguments

EXAMPLES = {
    "logistic": "sparse logistic regression with FTRL on a9a, trained on servers",
    "factorisation": "matrix factorisation on MovieLens-100K, split u1, trained on servers",
    "mlp": "a small network on handwritten digits, trained on servers",
}

__all__ = ["EXAMPLES", "Options", "add_arguments", "main", "main_example"]


def main(args) -> int:
    """Run the demo with the options that `add_arguments` describes; gives the exit code."""
    options = Options.of(args)
    from .show import show

    return show(options)


def main_example(name: str, parser, words: list[str]) -> int:
    """Run one of EXAMPLES with the options in `words`, which are added to `parser`; gives the exit code."""
    from .example_options import add_arguments

    add_arguments(parser, name)
    args = parser.parse_args(words)
    from .examples import show_example

    return show_example(name, args)
