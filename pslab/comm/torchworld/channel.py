"""One connection to one peer: whole frames out, whole frames in.

    out   queue of pieces ──sendmsg──> socket           what post() could not write at once is copied
    in    socket ──> header ─> descriptor ─> payload ──> endpoint.frame(channel, header, descriptor, payload)

Reading and writing never block. A peer may be one run ahead; its frames stay in the buffer until this rank is there.
"""

from __future__ import annotations

import select
import socket
from collections import deque

import numpy as np

from .. import wire

_RX_BYTES = 128 * 1024
_PIECES = 64                  # at most so many in one system call


class Lines:
    """The channels of one rank to all peers, and what is done with all of them at once: the lower half of an endpoint.

    The upper half has `epoch`, `frame(channel, header, descriptor, payload)` and `hung_up(peer)`.
    """

    def open(self, socks: dict[int, socket.socket]) -> None:
        self.channels: dict[int, Channel] = {}
        self.by_fd: dict[int, Channel] = {}
        self.poller = select.poll()
        for peer, sock in socks.items():
            channel = self.channels[peer] = Channel(self, peer, sock)
            self.by_fd[channel.fd] = channel
            self.poller.register(channel.fd, select.POLLIN)

    def parse(self) -> None:
        """A new run begins: take what peers who are ahead have sent of it, and see who is gone."""
        for channel in self.channels.values():
            channel.parse()
            if channel.closed:
                self.hung_up(channel.peer)

    def progress(self, timeout_ms: float) -> bool:
        """Read and write what can be, after waiting up to timeout_ms for the first chance; False when none came."""
        ready = self.poller.poll(timeout_ms)
        for fd, event in ready:
            channel = self.by_fd.get(fd)
            if channel is not None and event & select.POLLOUT:
                channel.write()
            if channel is not None and not channel.closed and event & ~select.POLLOUT:
                channel.read()
        return bool(ready)

    def flush(self, timeout_ms: float) -> None:
        """Write only: of a rank whose run has failed."""
        self.poller.poll(timeout_ms)
        for channel in list(self.by_fd.values()):
            channel.write()

    def watch(self, channel: Channel) -> None:
        """Which events of the channel matter now."""
        if channel.fd in self.by_fd:
            events = (0 if channel.paused else select.POLLIN) | (select.POLLOUT if channel.out else 0)
            self.poller.modify(channel.fd, events)

    def lost(self, channel: Channel) -> None:
        """The peer hung up."""
        self.poller.unregister(channel.fd)
        self.by_fd.pop(channel.fd, None)
        self.hung_up(channel.peer)


class Channel:
    """One connection; `endpoint` is a Lines."""

    def __init__(self, endpoint, peer: int, sock: socket.socket):
        self.endpoint, self.peer, self.sock, self.fd = endpoint, peer, sock, sock.fileno()
        self.closed = self.paused = False
        self.out: deque[memoryview] = deque()
        self.rx = bytearray(_RX_BYTES)
        self.start = self.end = 0
        self.header: wire.Header | None = None      # of the frame whose payload is being read
        self.descriptor, self.payload, self.landed = b"", None, 0

    # ---- out --------------------------------------------------------------------------------------------------------

    def send(self, head: bytes, pieces: list[np.ndarray] = ()) -> None:
        """A frame and its payload (uint8 arrays), which may change when this returns."""
        if self.closed:
            return
        self.out.append(memoryview(head))
        self.out.extend(memoryview(piece) for piece in pieces)
        self.write()
        for at in range(len(self.out) - 1, max(len(self.out) - 2 - len(pieces), -1), -1):
            if not isinstance(self.out[at].obj, bytes):
                self.out[at] = memoryview(bytes(self.out[at]))

    def write(self) -> None:
        """As much as the socket takes."""
        while self.out and not self.closed:
            try:
                sent = self.sock.sendmsg([self.out[i] for i in range(min(len(self.out), _PIECES))])
            except BlockingIOError:
                break
            except OSError:
                self.close()
                return
            while self.out and sent >= len(self.out[0]):
                sent -= len(self.out.popleft())
            if self.out:
                self.out[0] = self.out[0][sent:]
        self.endpoint.watch(self)

    # ---- in ---------------------------------------------------------------------------------------------------------

    def read(self) -> None:
        """Take in what the socket holds, once."""
        try:
            if self.header is None:
                if self.end == len(self.rx):
                    self._compact()
                size = self.sock.recv_into(memoryview(self.rx)[self.end:])
            else:
                self._grow(self.landed + 1)
                size = self.sock.recv_into(memoryview(self.payload)[self.landed:])
        except BlockingIOError:
            return
        except OSError:
            size = 0
        if size == 0:
            self.close()
        elif self.header is None:
            self.end += size
            self.parse()
        else:
            self.landed += size
            self._complete()

    def parse(self) -> None:
        """Hand over every whole frame in the buffer; called again when a new run begins."""
        self.paused, size = False, wire.HEADER.size
        while self.header is None and self.end - self.start >= size:
            header = wire.unpack(self.rx, self.start, self.endpoint.epoch + 1)
            if header.epoch > self.endpoint.epoch:            # a peer that is ahead: not yet
                self.paused = True
                break
            body = self.start + size
            if self.end - body < header.descriptor_bytes:
                if header.descriptor_bytes + size > len(self.rx) - self.start:
                    self._compact()
                break
            self.start = body + header.descriptor_bytes
            self.header, self.descriptor = header, bytes(self.rx[body:self.start])
            inline = header.payload_bytes if header.flags & wire.INLINE else 0
            self.payload, self.landed = np.empty(min(inline, wire.STEP), np.uint8), min(inline, self.end - self.start)
            self._grow(self.landed)
            self.payload[:self.landed] = np.frombuffer(self.rx, np.uint8, self.landed, self.start)
            self.start += self.landed
            self._complete()
        if self.start == self.end:
            self.start = self.end = 0
        self.endpoint.watch(self)

    def _complete(self) -> None:
        header = self.header
        if self.landed == (header.payload_bytes if header.flags & wire.INLINE else 0):
            self.header, payload, self.payload = None, self.payload, None
            if header.epoch == self.endpoint.epoch:           # else a left-over of an earlier run
                self.endpoint.frame(self, header, self.descriptor, payload)

    def _grow(self, needed: int) -> None:
        """Memory grows with the bytes that come, not with the length that is claimed."""
        if needed > len(self.payload):
            larger = np.empty(min(max(needed, 2 * len(self.payload)), self.header.payload_bytes), np.uint8)
            larger[:self.landed] = self.payload[:self.landed]
            self.payload = larger

    def _compact(self) -> None:
        held = bytes(self.rx[self.start:self.end])
        if len(held) > len(self.rx) // 2:
            self.rx = bytearray(2 * len(self.rx))
        self.rx[:len(held)] = held
        self.start, self.end = 0, len(held)

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            self.out.clear()
            self.endpoint.lost(self)
            self.sock.close()
