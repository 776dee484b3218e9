"""`pslab doctor`: what is installed, what is missing, what to do; and what of the course runs on this machine.

    installed ──> machine ──> tried ──> of the course           each line a Finding: ok | note | missing | broken
    (packages)    (shm, …)    (2 ranks)  (which parts run)      the exit code is 1 when a needed one is not ok

    finding.py    Finding, Report: what a probe says, and what all of them mean
    installed.py  Python and packages, held against what the package itself asks for
    machine.py    system, cores, memory, shared memory, folders, browser, GPU, data
    tried.py      what is really done: a simulated ring, an all-reduce in two processes, Gloo, a notebook kernel
    words.py      the report on the screen and as JSON
"""
