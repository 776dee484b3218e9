"""The launcher: one quiet process that has torch and NumPy loaded, forks ranks, and sees to their end.

    caller ──socket──> launcher ──fork──> rank 0, rank 1, …     each in a process group of its own
       spawn, kill        │ reports who died, stopped, went on; when the caller is gone, kills all ranks and leaves

Why not `multiprocessing`: fork after torch has started threads hangs; spawn imports torch in every rank; a ready-made
fork server ignores settings once it runs and demands guarded scripts. This one forks before any thread exists.
Its one argument is the descriptor of the caller's socket; requests are JSON with descriptors beside them.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import select
import signal
import socket
import sys

from ..errors import CommError

MAX_FDS = 250            # descriptors that one message may carry (the kernel's limit is 253)
_PR_SET_PDEATHSIG = 1


def serve(control: socket.socket) -> None:
    """Fork and reap until the caller hangs up."""
    caller = os.getppid()
    wake_read, wake_write = os.pipe()
    for descriptor in (wake_read, wake_write):
        os.set_blocking(descriptor, False)
    signal.set_wakeup_fd(wake_write)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    poller = select.poll()
    poller.register(control, select.POLLIN)
    poller.register(wake_read, select.POLLIN)
    children: set[int] = set()
    try:
        while os.getppid() == caller:
            ready = {descriptor for descriptor, _ in poller.poll(500)}
            if wake_read in ready:
                os.read(wake_read, 4096)
                _reap(children, control)
            if control.fileno() in ready:
                request, descriptors = receive(control)
                if request is None:
                    break
                if request["op"] == "spawn":
                    pid = os.fork()
                    if pid == 0:
                        _become_rank(request, descriptors, (control, wake_read, wake_write))
                    children.add(pid)
                    for descriptor in descriptors:
                        os.close(descriptor)
                    reply(control, {"spawned": pid})
                else:
                    for pid in set(request["pids"]) & children:
                        _kill_group(pid)
    finally:
        for pid in children:
            _kill_group(pid)
        for pid in children:
            os.waitpid(pid, 0)


def reply(control: socket.socket, message: dict) -> None:
    control.sendall(json.dumps(message).encode() + b"\n")


def send(control: socket.socket, request: dict, descriptors: list[int]) -> None:
    """A request with descriptors, which arrive with its first byte; in one call, so that two never mix."""
    body = json.dumps(request).encode()
    frame = len(body).to_bytes(4, "little") + body
    try:
        sent = socket.send_fds(control, [frame], descriptors)
    except OSError as error:
        raise CommError(f"the launcher of ranks is gone ({error}); the next run starts a new one") from None
    if sent != len(frame):
        raise CommError("the launcher of ranks does not read its requests")


def receive(control: socket.socket) -> tuple[dict | None, list[int]]:
    prefix, descriptors, _, _ = socket.recv_fds(control, 4, MAX_FDS)
    while prefix and len(prefix) < 4:
        more = control.recv(4 - len(prefix))
        prefix = prefix + more if more else b""
    if not prefix:
        return None, []
    body, size = b"", int.from_bytes(prefix, "little")
    while len(body) < size:
        more = control.recv(size - len(body))
        if not more:
            return None, []
        body += more
    return json.loads(body), list(descriptors)


def _become_rank(request: dict, descriptors: list[int], inherited) -> None:
    """In the child: forget the launcher, then live as a rank until the caller hangs up. Never returns."""
    code = 1
    try:
        os.setpgid(0, 0)
        _die_with_parent()
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        control, *wake = inherited
        control.close()
        for descriptor in wake:
            os.close(descriptor)
        from .rank import live
        live(request, descriptors)
        code = 0
    except BaseException as error:  # noqa: BLE001 - the last stop: nothing above this frame may go on in the child
        import traceback
        sys.__stderr__.write("".join(traceback.format_exception(error)))
        sys.__stderr__.flush()
    finally:
        os._exit(code)


def _die_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _kill_group(pid: int) -> None:
    """End a rank and whatever it started."""
    for kill in (os.killpg, os.kill):
        try:
            kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue                               # already gone, or not yet leader of its own group


def _reap(children: set[int], control: socket.socket) -> None:
    for pid in list(children):
        while pid in children:
            done, status = os.waitpid(pid, os.WNOHANG | os.WUNTRACED | os.WCONTINUED)
            if not done:
                break
            if os.WIFSTOPPED(status) or os.WIFCONTINUED(status):
                reply(control, {"stopped": pid, "signal": os.WSTOPSIG(status) if os.WIFSTOPPED(status) else 0})
                continue
            children.discard(pid)
            try:
                os.killpg(pid, signal.SIGKILL)     # what the rank itself had started
            except (ProcessLookupError, PermissionError):
                children.discard(pid)              # nobody was left in its group
            reply(control, {"died": pid, "status": status})


def main() -> None:
    control = socket.socket(fileno=int(sys.argv[1]))
    import numpy  # noqa: F401 - loaded here once, so that every fork has it
    import torch

    from . import rank  # noqa: F401 - the ranks' code, likewise
    torch.set_num_threads(1)
    gc.collect()
    gc.freeze()                                    # what is loaded now stays shared between the forks
    greet_and_serve(control)


def greet_and_serve(control: socket.socket) -> None:
    reply(control, {"ready": os.getpid()})
    serve(control)
