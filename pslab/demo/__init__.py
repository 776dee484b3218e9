"""The main job: one recommender, trained three ways on the same batches (`pslab demo`).

    options.py    what can be asked for, and what is refused before anything starts
    train.py      the strategies one after the other, with a progress bar; test scores      measured
    modelled.py   bytes on the busiest port for K = 2 ... 64                                modelled
    words.py      the table, and sentences computed from its figures
    picture.py    the same as an image

Importing this room needs neither torch nor NumPy, so that `pslab demo --help` answers at once.
"""

from .options import Options, add_arguments

__all__ = ["Options", "add_arguments", "main"]


def main(args) -> int:
    """Run the demo with the options that `add_arguments` describes; gives the exit code."""
    options = Options.of(args)
    from .show import show

    return show(options)
