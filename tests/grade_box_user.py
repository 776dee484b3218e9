"""A grader for test_grade_box_ends.py, run as an ordinary user: a few attacks, then one that hangs until it is killed.

Arguments: a folder where everyone may write. Prints one JSON line with the outcomes, then one before it hangs.
"""

import json
import os
import sys

from pslab.grade import box_rooms, failures

CODE = """
import os, time
def who(): return os.getuid()
def forks(): os.fork()
def reads(): return open(KIT + "/pslab/exercises/__init__.py").read()
def writes(): open("/tmp/pslab-user", "w")
def loops():
    while True: pass
def hides():
    import _posixsubprocess as p
    p.fork_exec([b"sleep", b"60"], (b"/bin/sleep",), True, (), None, None, -1, -1, -1, -1, -1, -1, *os.pipe(), False,
                True, 0, None, None, None, -1, None, False)
    time.sleep(5)
def stays():
    pid = os.fork()
    if pid == 0:
        os.setsid()
        if os.fork() == 0:
            time.sleep(60)
        os._exit(0)
    os.waitpid(pid, 0)
    time.sleep(60)
"""


def main():
    folder = sys.argv[1]
    if os.geteuid() == 0:
        box_rooms.make_enterable(folder)
        os.setgroups([])
        os.setgid(61_234)
        os.setuid(61_234)
    os.environ.update(TMPDIR=os.path.join(folder, "boxes"), MPLCONFIGDIR=os.path.join(folder, "fonts"))
    os.mkdir(os.environ["TMPDIR"])
    os.mkdir(os.environ["MPLCONFIGDIR"])                  # this user has no home
    from pslab.grade.box import Box, Limits, Source
    from pslab.grade.sandbox import running

    kit = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(box_rooms.__file__))))
    source = Source.of_text(CODE.replace("KIT", repr(kit)))
    told = {}
    for name in ("who", "forks", "reads", "writes", "loops", "hides"):
        with Box(source) as answers:
            try:
                told[name] = answers.call(name, timeout_s=3.0 if name == "hides" else 0.5)
            except failures.AnswerFailed as failed:
                told[name] = [type(failed).__name__, failed.seen]
    told |= {"uid": os.getuid(), "zygote": running().process.pid, "left": os.listdir(os.environ["TMPDIR"])}
    print(json.dumps(told), flush=True)
    with Box(source, Limits(processes=3)) as answers:
        answers._ready(10.0)
        print(json.dumps("hanging"), flush=True)
        answers.call("stays", timeout_s=60)


if __name__ == "__main__":
    main()
