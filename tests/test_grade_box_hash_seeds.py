"""Boxes whose Python started with a stated PYTHONHASHSEED: what hash() says of a text is that interpreter's.

Three zygotes take seconds to start, so this one is long; answers of 3.1 that call hash() hold the same in `make test`.
"""

import os
import subprocess
import sys

import pytest

from pslab.grade.box import Box, Source

CODE = "kept = []\ndef said(text):\n    kept.append(text)\n    return [hash(text), len(kept)]\n"


def interpreter_says(hash_seed):
    told = subprocess.run([sys.executable, "-c", "print(hash('row 7'))"], capture_output=True, text=True, check=True,
                          env={**os.environ, "PYTHONHASHSEED": str(hash_seed)})
    return int(told.stdout)


@pytest.mark.long
def test_a_restart_takes_the_hash_seed_that_it_is_told():
    with Box(Source.of_text(CODE)) as answers:
        drawn, _ = answers.call("said", "row 7")
        seen = {}
        for hash_seed in (1, 2):
            answers.restart(hash_seed=hash_seed)
            seen[hash_seed], asked_here = answers.call("said", "row 7")
            assert asked_here == 1, "a fresh process"
        answers.restart()
        assert answers.call("said", "row 7") == [drawn, 1]
    assert seen == {1: interpreter_says(1), 2: interpreter_says(2)}
    assert len({drawn, *seen.values()}) == 3
