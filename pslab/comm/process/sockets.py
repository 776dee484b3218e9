"""Connected pairs of sockets, made whole in one process and handed over by descriptor: no port stays open."""

from __future__ import annotations

import socket

_BUFFER_BYTES = 1 << 20


def unix_pair() -> tuple[socket.socket, socket.socket]:
    pair = socket.socketpair()
    for end in pair:
        _widen(end)
    return pair


def tcp_pair() -> tuple[socket.socket, socket.socket]:
    """Two ends of a TCP connection over loopback. The listener lives for this call only, and takes only our end."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(8)
        listener.settimeout(5.0)
        near = socket.create_connection(listener.getsockname(), timeout=5.0)
        while True:
            far, address = listener.accept()
            if address == near.getsockname():
                break
            far.close()                       # a stranger was faster
    for end in (near, far):
        end.settimeout(None)
        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if hasattr(socket, "TCP_CONGESTION"):
            try:                              # on loopback, reno is steadier than BBR and up to twice as fast
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, b"reno")
            except OSError:
                continue                      # not offered by this kernel: its default stays
    return near, far


def _widen(end: socket.socket) -> None:
    for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
        end.setsockopt(socket.SOL_SOCKET, option, _BUFFER_BYTES)
