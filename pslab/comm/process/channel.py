"""Everything between this rank and one peer: frames out, frames in, staging slots.

    out:  partial frame ─> urgent (credits, acknowledgements) ─> queue of messages, in order
    in:   bytes ─> header ─> descriptor ─> payload: behind it (INLINE), in slots (CHUNK), or in place (SHARED)

Small payloads follow their header through the socket. Large ones go through the sender's staging slots in shared
memory, a CHUNK frame for each; the receiver gives a slot back with a CREDIT frame. A payload that lies in the sender's
heap is read there by the receiver and credited once. Sockets never block; whoever waits reads and writes at once.
"""

from __future__ import annotations

import socket
from collections import deque

import numpy as np

from .. import wire
from ..errors import WireError
from .incoming import Incoming
from .memory import SLOTS

_RX_BYTES = 128 * 1024


class Outgoing:
    """A message on its way out: head, payload pieces (uint8), and whom to tell when the buffer is free."""

    __slots__ = ("head", "number", "pieces", "staged", "work")

    def __init__(self, head: bytes, pieces: list[np.ndarray], work, staged: bool):
        self.head, self.pieces, self.work, self.staged = head, pieces, work, staged


class Channel:
    """One duplex socket to `peer`."""

    def __init__(self, endpoint, peer: int, sock: socket.socket, heap, heaps: dict):
        sock.setblocking(False)
        self.endpoint, self.peer, self.sock, self.fd = endpoint, peer, sock, sock.fileno()
        self.heap, self.heaps = heap, heaps
        self.closed = self.truncated = False
        self.partial: list[memoryview] = []
        self.partial_work = None
        self.rx = bytearray(_RX_BYTES)
        self.start = self.end = 0
        self.inline: Incoming | None = None
        self.parsing = False
        self.watched = False                          # whether the endpoint waits for the socket to take more
        self.reset()

    def reset(self) -> None:
        """Before a run: all slots are free, nothing is owed. Half-sent and half-received frames are finished first."""
        self.urgent: deque[bytes] = deque()
        self.queue: deque[Outgoing] = deque()
        self.partial = [memoryview(bytes(piece)) for piece in self.partial]
        self.partial_work = None
        self.slots = list(range(SLOTS))
        self.waiting: dict[int, object] = {}          # message number -> work that waits for the peer's word
        self.given: dict[int, list] = {}              # letter number -> tensors that the peer reads where they are
        self.chunked: Incoming | None = None
        self.number = 0
        if self.inline is not None:
            self.inline.discard, self.inline.flat = True, None

    # ---- out --------------------------------------------------------------------------------------------------------

    def send(self, message: Outgoing) -> None:
        self.queue.append(message)
        if len(self.queue) == 1 and not self.partial:
            self.write()

    def say(self, frame: bytes) -> None:
        """A short word to the peer, ahead of the queue; those said while bytes are being parsed go out together."""
        self.urgent.append(frame)
        if not self.partial and not self.parsing:
            self.write()

    def write(self) -> None:
        """Write as much as the socket and the slots take."""
        while not self.closed:
            if self.partial and not self._write_partial():
                return
            if self.urgent:
                self.partial = [memoryview(b"".join(self.urgent))]
                self.urgent.clear()
            elif not self.queue or not self._next_frame():
                return

    @property
    def busy(self) -> bool:
        return not self.closed and bool(self.partial or self.urgent or self.queue or self.waiting)

    def detach(self, message: Outgoing) -> None:
        """Own what has not been sent of the message sent last, so that the caller may change its tensors."""
        if self.queue and self.queue[-1] is message:
            message.pieces = [piece.copy() for piece in message.pieces]
        elif self.partial:
            self.partial = [memoryview(bytes(piece)) for piece in self.partial]

    def _write_partial(self) -> bool:
        try:
            sent = self.sock.sendmsg(self.partial) if len(self.partial) > 1 else self.sock.send(self.partial[0])
        except BlockingIOError:
            sent = 0
        except OSError:
            self.close()
            return False
        while self.partial and sent >= len(self.partial[0]):
            sent -= len(self.partial.pop(0))
        if self.partial:
            self.partial[0] = self.partial[0][sent:]
        if bool(self.partial) != self.watched:
            self.watched = bool(self.partial)
            self.endpoint.watch(self, self.watched)
        if self.partial:
            return False
        if self.partial_work is not None:
            self.partial_work.buffer_free()
            self.partial_work = None
        return True

    def _next_frame(self) -> bool:
        """Make the first message's next frame the partial one; False when it has to wait for a slot."""
        message = self.queue[0]
        if not message.staged:
            self.queue.popleft()
            self.partial = [memoryview(message.head), *map(memoryview, message.pieces)]
            self.partial_work = message.work
            return True
        if message.head:
            self.partial, message.head = [memoryview(message.head)], b""
            return True
        if not self.slots:
            return False
        slot, count = self.slots.pop(), 1
        if message.work is None and slot ^ 1 in self.slots:      # a long letter: half the words, a fifth less time
            self.slots.remove(slot ^ 1)
            slot, count = slot & ~1, 2
        offset, room = self.heap.slot(self.peer, slot, count)
        used = 0
        while message.pieces and used < len(room):
            piece = message.pieces[0]
            size = min(len(piece), len(room) - used)
            room[used:used + size] = piece[:size]
            used += size
            if size == len(piece):
                message.pieces.pop(0)
            else:
                message.pieces[0] = piece[size:]
        self.partial = [memoryview(wire.pack(wire.CHUNK, 0, self.endpoint.epoch, tag=offset,
                                             number=slot + (count - 1) * SLOTS, payload_bytes=used))]
        if not message.pieces:
            self.queue.popleft()
            if message.work is not None:
                message.work.buffer_free()
        return True

    # ---- in ---------------------------------------------------------------------------------------------------------

    def read(self) -> None:
        """Take in what the socket holds, once."""
        incoming = self.inline
        if incoming is None and self.end == len(self.rx):
            self._compact()
        try:
            size = self.sock.recv_into(memoryview(self.rx)[self.end:] if incoming is None else incoming.room())
        except BlockingIOError:
            return
        except OSError:
            size = 0
        if size == 0:
            self.close()
        elif incoming is not None:
            incoming.filled(size)
            if incoming.complete:
                self.inline = None
                self.endpoint.arrived(self, incoming)
        else:
            self.end += size
            self.parsing = True
            self._parse()
            self.parsing = False
            if (self.urgent or self.queue) and not self.partial:
                self.write()

    def close(self) -> None:
        """The peer is gone. The caller of the run hears it from the launcher, and ends the run."""
        if not self.closed:
            self.closed = True
            self.truncated = self.inline is not None or self.chunked is not None or self.end > self.start
            self.endpoint.forget(self)

    def gone(self) -> WireError:
        """The error for a rank that goes on waiting for this peer."""
        middle = " in the middle of a message" if self.truncated else ""
        return WireError(f"rank {self.peer} hung up{middle}")

    def _parse(self) -> None:
        size = wire.HEADER.size
        while self.end - self.start >= size and self.inline is None:
            header = wire.unpack(self.rx, self.start, self.endpoint.epoch)
            body = self.start + size
            if self.end - body < header.descriptor_bytes:
                if header.descriptor_bytes + size > len(self.rx) - self.start:
                    self._compact()
                return
            self.start = body + header.descriptor_bytes
            stale = header.epoch != self.endpoint.epoch
            if header.kind in (wire.TENSOR, wire.MAIL):
                self._message(header, bytes(self.rx[body:self.start]), stale)
            elif not stale:
                self._notice(header, bytes(self.rx[body:self.start]))
        if self.start == self.end:
            self.start = self.end = 0

    def _message(self, header: wire.Header, descriptor: bytes, stale: bool) -> None:
        if stale:
            incoming = Incoming(header, self.peer)
            incoming.discard = True
        elif header.kind == wire.TENSOR:
            shared = header.flags & wire.SHARED               # then the descriptor ends with the place in the heap
            place = wire.PLACE.size
            shape, name = wire.shape_of(descriptor[:-place] if shared else descriptor, header.payload_bytes)
            incoming = Incoming(header, self.peer, shape, name)
            if shared:
                incoming.place = wire.PLACE.unpack(descriptor[-place:])
                incoming.view = self.shared(*incoming.place, header.payload_bytes)
            self.endpoint.announced(self, incoming)
        else:
            incoming = self.endpoint.letter_comes(self, header, descriptor, self.end - self.start)
        if header.flags & wire.INLINE and header.payload_bytes:
            here = min(header.payload_bytes, self.end - self.start)
            if here < header.payload_bytes or incoming.discard:
                self._feed(incoming, here)
            elif incoming.mail is None:
                incoming.land(np.frombuffer(self.rx, np.uint8, here, self.start))
            else:
                incoming.own = np.frombuffer(self.rx[self.start:self.start + here], np.uint8)
                incoming.landed = here
            self.start += here
            if not incoming.complete:
                self.inline = incoming
                return
        elif header.payload_bytes and not header.flags & wire.SHARED and not stale:
            self.chunked = incoming
            return
        if not stale:
            self.endpoint.arrived(self, incoming)

    def _feed(self, incoming: Incoming, size: int) -> None:
        """Bytes already read that belong to a payload whose rest is still to come."""
        at = self.start
        while size:
            room = incoming.room()[:size]
            room[:] = memoryview(self.rx)[at:at + len(room)]
            incoming.filled(len(room))
            at, size = at + len(room), size - len(room)

    def _notice(self, header: wire.Header, text: bytes) -> None:
        if header.kind == wire.CHUNK:
            incoming = self.chunked
            if incoming is None or incoming.landed + header.payload_bytes > incoming.header.payload_bytes:
                raise WireError(f"rank {self.peer} sent a piece of {header.payload_bytes:,} bytes of no message")
            incoming.land(self.shared(self.peer, header.tag, header.payload_bytes))
            self.say(wire.pack(wire.CREDIT, 0, self.endpoint.epoch, number=header.number))
            if incoming.complete:
                self.chunked = None
                self.endpoint.arrived(self, incoming)
        elif header.kind == wire.CREDIT and header.flags & wire.MAILED:
            self.given.pop(header.number, None)                   # read: the memory may be used again
        elif header.kind == wire.CREDIT and not header.flags & wire.SHARED:
            pair, slot = divmod(header.number, SLOTS)             # a number from SLOTS on: the slot and its neighbour
            self.slots += [slot, slot + 1] if pair else [slot]
        else:
            work = self.waiting.pop(header.number, None)
            error = ValueError(text.decode(errors="replace")) if header.kind == wire.NACK else None
            if work is not None:
                work.answered(header.kind, error)
            else:
                self.endpoint.late_error = error or self.endpoint.late_error

    def shared(self, owner: int, offset: int, size: int) -> np.ndarray:
        heap = self.heaps.get(owner)
        view = None if heap is None else heap.view(offset, size)
        if view is None:
            raise WireError(f"rank {self.peer} named {size:,} bytes at {offset:,} of rank {owner}, outside of its "
                            f"shared memory")
        return view

    def _compact(self) -> None:
        """Move what is left to the front; a long descriptor makes room as its bytes come."""
        held = bytes(self.rx[self.start:self.end])
        if len(held) > len(self.rx) // 2:
            self.rx = bytearray(2 * len(self.rx))
        self.rx[:len(held)] = held
        self.start, self.end = 0, len(held)
