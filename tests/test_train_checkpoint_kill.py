"""A job of real processes is killed by SIGKILL, and goes on from its last checkpoint as if nothing had been."""

import os
import signal
import subprocess
import sys
import time

import pytest
import torch
import train_killed_job


def gone(group):
    """Whether no process of the group is left; waits a while for its last ones to notice."""
    for _ in range(200):
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.1)
    return False


@pytest.mark.long
def test_a_killed_job_resumes_exactly(tmp_path):
    whole_folder, folder = tmp_path / "whole", tmp_path / "killed"
    whole_folder.mkdir()
    folder.mkdir()
    whole = train_killed_job.train(whole_folder)
    child = subprocess.Popen([sys.executable, train_killed_job.__file__, str(folder), "27"], start_new_session=True)
    assert child.wait(timeout=100) == -signal.SIGKILL
    assert gone(child.pid), "ranks that outlive their parent"
    assert len((folder / "run.jsonl").read_text().splitlines()) >= 26
    result = train_killed_job.train(folder)
    assert result.first_step in (20, 30)            # the ranks may have come to step 30 while their parent died
    assert result.losses == whole.losses[result.first_step:]
    assert all(torch.equal(result.state[name], whole.state[name]) for name in whole.state)
    assert (folder / "run.jsonl").read_text().splitlines()[:20] == \
        (whole_folder / "run.jsonl").read_text().splitlines()[:20]
    names = sorted(path.name for path in (folder / "checkpoints").iterdir())
    assert names == ["step-00000030", "step-00000040"]
