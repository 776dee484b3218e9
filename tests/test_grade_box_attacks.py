"""What an answer may try: each ends as a clear verdict, the next question is answered, nothing is left behind."""

import os
import time

import pytest
from grade_box_watch import own_zygote

from pslab.grade import failures
from pslab.grade.box import Box, Limits, Source

KIT = os.path.dirname(os.path.dirname(os.path.abspath(__import__("pslab").__file__)))
LIMITS = Limits(wall_s=20, cpu_s=20, memory_bytes=256 << 20, output_bytes=100_000)
OUTSIDE = f"/tmp/pslab-outside-{os.getpid()}"

# name: (body of f, what it ends as, what the student reads)
ATTACKS = {
    "exits": ("import os; os._exit(0)", failures.Died, "exit code 0"),
    "leaves Python": ("raise SystemExit(3)", failures.Raised, "left Python .SystemExit, code 3"),
    "interrupts": ("raise KeyboardInterrupt", failures.Raised, "KeyboardInterrupt"),
    "crashes": ("import faulthandler; faulthandler._sigsegv()", failures.Died, r"signal 11 \(SIGSEGV\)"),
    "kills itself": ("import os; os.kill(os.getpid(), 9)", failures.Died, r"signal 9 \(SIGKILL\)"),
    "kills others": ("import os; os.kill(os.getppid(), 9)", failures.Forbidden, "sent a signal"),
    "uses ctypes": ("import ctypes; ctypes.string_at(0)", failures.Forbidden, "ctypes"),
    "hogs memory": ("x = []\nwhile True: x.append(bytearray(b'x' * 2**20))", failures.OutOfMemory, "MiB of memory"),
    "asks for all memory": ("import numpy as np; np.ones(2**40)", failures.OutOfMemory, "asked for more memory"),
    "asks torch for it": ("import torch; torch.ones(2**40)", failures.OutOfMemory, "asked for more memory"),
    "prints 50 MB": ("for _ in range(50): print('x' * 2**20)", failures.TooMuchOutput, "more than 100,000 bytes"),
    "prints below Python": ("import os\nfor _ in range(50): os.write(1, b'x' * 2**20)", failures.TooMuchOutput,
                            "printed more than"),
    "prints and goes on": ("try:\n    print('x' * 10**6)\nexcept BaseException: pass\nwhile True: pass",
                           failures.TooMuchOutput, "more than"),
    "forks": ("import os; os.fork()", failures.Forbidden, "started another process"),
    "runs a program": ("import subprocess; subprocess.run(['true'])", failures.Forbidden, "another program"),
    "runs a shell": ("import os; os.system('true')", failures.Forbidden, "a shell command"),
    "imports the judges": ("import pslab.exercises.lab9", failures.Forbidden, r"imported pslab\.exercises"),
    "imports the box": ("import pslab.grade.judging", failures.Forbidden, r"imported pslab\.grade\.judging"),
    "opens the judges": (f"return open('{KIT}/pslab/exercises/__init__.py').read()", failures.Forbidden,
                         r"opened pslab/exercises/__init__\.py"),
    "opens a solution": (f"return open('{KIT}/solutions/README.md').read()", failures.Forbidden, "opened solutions"),
    "loads by a loader": (f"import importlib.util as u\ns = u.spec_from_file_location('m', '{KIT}/pslab/exercises/"
                          "__init__.py')\nm = u.module_from_spec(s); s.loader.exec_module(m)", failures.Forbidden,
                          "opened pslab/exercises"),
    "asks inspect": ("import inspect, pslab.grade; return inspect.getsource(pslab.grade)", failures.Forbidden,
                     r"opened pslab/grade/__init__\.py"),
    "lists the judges": (f"import os; return os.listdir('{KIT}/pslab/exercises')", failures.Forbidden, "listed"),
    "goes by links": (f"import os; os.symlink('{KIT}/pslab/exercises', 'x'); return open('x/__init__.py').read()",
                      failures.Forbidden, "linked to pslab/exercises"),
    "goes by folders": (f"import os; d = os.open('{KIT}/pslab', 0)\nreturn os.open('exercises/__init__.py', 0, "
                        "dir_fd=d)", failures.Forbidden, "opened the folder"),
    "swallows refusals": (f"try: open('{KIT}/solutions/README.md')\nexcept BaseException: pass\nreturn 1",
                          failures.Forbidden, "opened solutions"),
    "reads other processes": ("import os; return open(f'/proc/{os.getppid()}/environ', 'rb').read()",
                              failures.Forbidden, "inside of a process"),
    "writes outside": (f"open('{OUTSIDE}', 'w').write('x')", failures.Forbidden, f"wrote to {OUTSIDE}"),
    "writes below Python": (f"import torch; torch.save(torch.ones(1), '{OUTSIDE}')", failures.Raised, "denied"),
    "removes": ("import os; os.remove('/etc/hostname')", failures.Forbidden, "changed /etc/hostname"),
    "shares memory": ("from multiprocessing import shared_memory as s; s.SharedMemory('pslab-x', True, 100)",
                      failures.Raised, "denied"),
    "connects": ("import socket; socket.create_connection(('192.0.2.1', 80), 1)", failures.Forbidden,
                 r"192\.0\.2\.1"),
    "asks for a name": ("import socket; socket.getaddrinfo('example.org', 80)", failures.Forbidden, "example.org"),
    "changes the ledger": ("import pslab.comm as c; c.Ledger.total = lambda self, kind=None: 0", failures.Forbidden,
                           r"changed pslab\.comm\.Ledger\.total"),
    "changes code": ("import pslab.comm as c\nc.Ledger.add.__code__ = (lambda self, a, b, c, d: None).__code__",
                     failures.Forbidden, r"changed pslab\.comm\.Ledger\.add"),
    "changes builtins": ("import builtins; builtins.len = lambda x: 3", failures.Forbidden, r"changed builtins\.len"),
    "changes numpy": ("import numpy; numpy.array_equal = lambda *a: True", failures.Forbidden, "numpy.array_equal"),
    "changes modules": ("import sys; sys.modules['pslab.comm'] = sys", failures.Forbidden, "changed pslab.comm"),
    "changes the guard": ("import sys; sys.modules['pslab.grade.box_guard'].Guard.sign = print", failures.Forbidden,
                          "box_guard.Guard.sign"),
    "changes fingerprints": ("import sys\nsys.modules['pslab.grade.box_fingerprint'].Fingerprint.changed = len",
                             failures.Forbidden, "Fingerprint.changed"),
    "breaks builtins": ("import builtins\nfor n in ('isinstance', 'len', 'str', 'Exception', 'RuntimeError'): "
                        "setattr(builtins, n, None)", failures.Forbidden, "changed builtins"),
    "closes descriptors": ("import os; os.closerange(3, 1000)", failures.Died, "closed descriptors"),
    "forges an answer": ("import os\nfor d in range(3, 60):\n    try: os.write(d, b'PSLB' + bytes(60))\n"
                         "    except OSError: pass", failures.Forbidden, "bytes of its own"),
    "forges a whole answer": ("import os\nfor d in range(3, 60):\n    try: os.write(d, b'PSLB' + bytes(24))\n"
                              "    except OSError: pass\ntime.sleep(0.5)", failures.Forbidden, "bytes of its own"),
    "climbs the stack": ("import sys; return sys._getframe(1).f_locals", failures.Forbidden, "looked at what"),
    "climbs by inspect": ("import inspect; return len(inspect.stack())", failures.Forbidden, "looked at what"),
    "climbs by an exception": ("try: 1 / 0\nexcept Exception as e: return e.__traceback__.tb_frame.f_back",
                               failures.Forbidden, r"looked at what called it .tb_frame"),
    "climbs by a trace": ("import sys; sys.settrace(lambda *a: None)", failures.Forbidden, "called sys.settrace"),
    "climbs by a signal": ("import signal, os\ndef g(number, frame):\n    while 'self' not in frame.f_locals:\n"
                           "        frame = frame.f_back\n    guard = frame.f_locals['self'].guard\n"
                           "    guard.files.clear(); guard.switch(False)\n"
                           "signal.signal(signal.SIGUSR2, g); os.kill(os.getpid(), signal.SIGUSR2)",
                           failures.Forbidden, "switched off what watches it"),
    "finds it in git": (f"import os; return os.listdir('{KIT}/.git')", failures.Forbidden, r"listed \.git"),
    "hunts for objects": ("import gc; gc.get_objects()", failures.Forbidden, "gc.get_objects"),
    "leaves a thread": ("import threading, time\nthreading.Thread(target=time.sleep, args=(60,), daemon=True).start()",
                        failures.Forbidden, "left a thread running"),
    "raises its limits": ("import resource as r; r.setrlimit(r.RLIMIT_CPU, (99, 99))", failures.Forbidden, "setrlimit"),
    "fills its folder": ("for i in range(9): open(str(i), 'wb').write(bytes(60 << 20))\ntime.sleep(3)",
                         failures.Forbidden, r"filled its folder: .* MiB"),
    "makes many files": ("import os\nos.mkdir('x')\nfor i in range(2000): open(f'x/{i}', 'wb').close()\ntime.sleep(3)",
                         failures.Forbidden, r"filled its folder: 1,0\d\d files"),
    "writes a huge file": ("open('x', 'wb').write(bytes(100 << 20))", failures.Raised, "File too large"),
}
LOOPS = {
    "loops": "while True: pass",
    "swallows all": "while True:\n    try:\n        time.sleep(0)\n    except BaseException:\n        pass",
    "loops in compiled code": "sum(iter(int, 1))",
    "ignores signals": "import signal\nfor s in {*range(1, 32)} - {9, 19}: signal.signal(s, lambda *a: 0)\n"
                       "while True: pass",
}


@pytest.fixture(scope="module")
def left():
    with own_zygote() as nothing_left:
        yield nothing_left


def written(body: str, *parameters: str) -> Source:
    lines = "\n    ".join(body.splitlines())
    return Source.of_text(f"import time\ndef f({', '.join(parameters)}):\n    {lines}\ndef fine(): return 7\n")


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_ends_as_a_verdict(left, name):
    body, kind, seen = ATTACKS[name]
    with Box(written(body), LIMITS) as answers:
        with pytest.raises(failures.AnswerFailed, match=seen) as caught:
            answers.call("f")
        assert type(caught.value) is kind
        if kind is not failures.Forbidden or name in ("forks", "fills its folder", "changes builtins"):
            assert answers.call("fine") == 7
    assert not os.path.exists(OUTSIDE)
    left()


@pytest.mark.parametrize("name", LOOPS)
def test_an_endless_loop_ends_at_its_deadline(left, name):
    with Box(written(LOOPS[name]), LIMITS) as answers:
        answers.call("fine")
        started_s = time.monotonic()
        with pytest.raises(failures.TimedOut, match=r"no answer within 0\.3 s") as caught:
            answers.call("f", timeout_s=0.3)
        assert time.monotonic() - started_s < 5
        if name != "ignores signals":
            assert caught.value.where.startswith("answer, line ")
            assert caught.value.where.endswith(" in f")
        assert answers.call("fine") == 7
    left()


RUNS = {
    "uses a collective": ("from pslab.collectives import all_reduce\nall_reduce(comm, torch.ones(4))",
                          failures.Forbidden, r"pslab\.collectives\.all_reduce; this exercise asks you to build"),
    "swallows that": ("from pslab.collectives import broadcast\ntry: broadcast(comm, torch.ones(4))\n"
                      "except Exception: return 0", failures.Forbidden, r"pslab\.collectives\.broadcast"),
    "hides it in a class": ("from pslab.collectives import all_reduce\nclass C:\n    def __getattr__(self, n): "
                            "return lambda *a, **k: getattr(comm, n)(*a, **k)\nc = C()\n"
                            "c.rank, c.world_size, c.model, c.shares_memory = comm.rank, 2, None, False\n"
                            "c.calling = lambda *a: 5\n"
                            "all_reduce(c, torch.ones(4))", failures.Forbidden, r"pslab\.collectives\.all_reduce"),
    "hides it under a name": ("import types\nfrom pslab.collectives import all_reduce as f\n"
                              "class C:\n    shares_memory, calling = False, staticmethod(lambda *a: 5)\n"
                              "    rank, world_size = comm.rank, 2\n"
                              "    def __getattr__(self, n): return getattr(comm, n)\n"
                              "g = types.FunctionType(f.__code__, {**f.__globals__, '__name__': 'mine'})\n"
                              "g.__defaults__, g.__kwdefaults__ = f.__defaults__, f.__kwdefaults__\n"
                              "g(C(), torch.ones(4), algorithm='ring')",
                              failures.Forbidden, r"pslab\.collectives\.\w+; this exercise"),
    "borrows the face's code": ("import types, sys\nfrom pslab.collectives import all_reduce\nclass C: pass\nc = C()\n"
                                "for n in ('send', 'recv', 'isend', 'irecv', 'now'):\n    f = getattr(comm, n)\n"
                                "    g = {'sys': sys, '_look_for_rooms': lambda frame: None}\n"
                                "    setattr(c, n, types.FunctionType(f.__code__, g, n, None, f.__closure__))\n"
                                "c.rank, c.world_size, c.shares_memory, c.calling = comm.rank, 2, False, lambda *a: 5\n"
                                "all_reduce(c, torch.ones(4), algorithm='ring')", failures.Forbidden,
                                r"pslab\.collectives\.all_reduce"),
    "borrows it for itself": ("import types, sys\nf = comm.now\n"
                              "types.FunctionType(f.__code__, {'sys': sys}, 'now', None, f.__closure__)()",
                              failures.Raised, "IndexError"),
    "opens its comm": ("cells = [c.cell_contents for c in comm.send.__closure__]\n"
                       "real = [c.__self__ for c in cells if hasattr(c, '__self__')]\nreal[0].world_size",
                       failures.Raised, "IndexError"),
    "hangs in recv": ("comm.recv(1 - comm.rank)", failures.Stalled, "recv.src=1"),
    "prints on": ("while True: print('x' * 10_000)", failures.TooMuchOutput, "printed more than"),
    "exits": ("import os; os._exit(5)", failures.Died, "exit code 5"),
    "loops": ("while True: pass", failures.TimedOut, "computing|no answer"),
    "reads the judges": (f"if comm.rank: open('{KIT}/pslab/exercises/lab9.py')", failures.Forbidden, "opened pslab"),
    "forks": ("while True: __import__('os').fork()", failures.Forbidden, "started another process"),
    "changes the kit": ("import pslab.comm as c; c.Ledger.add = print", failures.Forbidden, r"Ledger\.add"),
}


ALIKE = ("swallows that", "hides it in a class", "hides it under a name", "borrows the face's code",
         "borrows it for itself", "reads the judges", "forks")      # one guard in both worlds


@pytest.mark.parametrize(("name", "world"), [(name, world) for name in RUNS for world in ("sim", "process")
                                             if world == "sim" or name not in ALIKE])
def test_an_attack_in_a_run_ends_as_a_verdict(left, name, world):
    body, kind, seen = RUNS[name]
    with Box(written("import torch\n" + body, "comm"), LIMITS) as answers:
        with pytest.raises(failures.AnswerFailed, match=seen) as caught:
            answers.run("f", 2, world=world, timeout_s=1.5 if kind in (failures.TimedOut, failures.Stalled) else 10)
        assert type(caught.value) is kind
        assert answers.call("fine") == 7
    left()
