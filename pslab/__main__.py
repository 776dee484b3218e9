"""`python -m pslab` is the `pslab` command; torchrun starts it as `-m pslab`."""

import sys

from pslab.cli import main

if __name__ == "__main__":
    sys.exit(main())
