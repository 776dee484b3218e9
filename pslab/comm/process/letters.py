"""The mail of one rank's end: letters out, letters in, and the box of each group that they wait in.

    post ─> channel ─> … ─> _letter() ─> letter box of its group ─> poll

    small letters         behind their header through the socket
    long ones             through the staging slots, copied twice
    given ones            not at all: the receiver reads them in the sender's heap (Mail.views), and gives them back
"""

from __future__ import annotations

import time
from collections import deque

from .. import arrays, wire
from ..face import Mail
from . import board as notice
from .channel import Channel, Outgoing
from .incoming import INLINE_LIMIT, ArrivedMail, Incoming, LetterWait

DRAIN_MS = 1                  # a long letter waits so long for its receiver to take the next part, then copies the rest
_INTEGERS = frozenset(name for name in arrays.DTYPES if "int" in name and name != "int8")     # of mail, these are keys


class Letters:
    """The part of a `ProcessEndpoint` that moves mail."""

    def begin_letters(self) -> None:
        """Forget the run before."""
        self.letters: dict[int, deque[tuple[float, Mail]]] = {}
        self.read: deque[tuple[int, int]] = deque()          # (peer, number) of given letters to be given back

    def post(self, dst, ctx, kind, meta, tensors, retry=False, give=False):
        views = [arrays.view(tensor, f"tensors[{i}]") for i, tensor in enumerate(tensors)]
        size = sum(array.nbytes for array, _ in views)
        offsets = None
        if give and size > INLINE_LIMIT and dst != self.rank:
            offsets = [self.heap.find(array) for array, _ in views]
            offsets = None if None in offsets else offsets
        descriptor, head_bytes = wire.describe_mail(kind, meta, views, offsets)
        if dst == self.rank:
            kind, meta, _ = wire.read_mail(descriptor, size)
            copies = [arrays.tensor_of(a.copy(), name) for a, name in views]
            self.letters.setdefault(ctx, deque()).append((0.0, Mail(self.rank, kind, meta, copies)))
            return
        keys = sum(array.nbytes for array, name in views if name in _INTEGERS)
        self.meter.mail_out(dst, size - keys, keys, head_bytes, retry)
        channel = self.channels[dst]
        staged = self.heap is not None and size > INLINE_LIMIT and offsets is None
        flags, number = 0 if staged else wire.INLINE, 0
        if offsets is not None:
            channel.number += 1
            flags, number = wire.SHARED, channel.number
            channel.given[number] = [array for array, _ in views]
        stamp_s, _ = self.meter.leave(size + head_bytes)
        head = wire.pack(wire.MAIL, flags, self.epoch, ctx, head_bytes, len(descriptor), number, size, stamp_s)
        pieces = [] if offsets is not None else [a.reshape(-1).view("uint8") for a, _ in views if a.size]
        message = Outgoing(head + descriptor, pieces, None, staged)
        if self.read:
            self.give_back()
        channel.send(message)
        if staged:                            # a copy of the rest costs as much as sending it to one who takes it
            while message.pieces and not channel.closed and self.progress(DRAIN_MS):
                continue
        channel.detach(message)

    def poll(self, ctx, timeout_s):
        if self.read:
            self.give_back()
        box = self.letters.setdefault(ctx, deque())
        if not box:
            try:
                self.wait_until(LetterWait(box, timeout_s), timeout_s)
            except TimeoutError:
                self.fields[notice.SINCE_US] = int(time.monotonic() * 1e6)
                self.fields[notice.STATE] = notice.IDLE
                return None
        self.fields[notice.STATE] = notice.RUNNING
        deliver_s, mail = box.popleft()
        if deliver_s:
            self.hold_until(deliver_s)
        return mail

    def give_back(self) -> None:
        """Tell the senders of given letters that those have been read."""
        while self.read:
            peer, number = self.read.popleft()
            self.channels[peer].say(wire.pack(wire.CREDIT, wire.MAILED, self.epoch, number=number))

    def letter_comes(self, channel: Channel, header: wire.Header, descriptor: bytes, bytes_here: int) -> Incoming:
        """A letter's first page is here: what the rest of it goes into."""
        incoming, flags = Incoming(header, channel.peer), header.flags
        incoming.mail = wire.read_mail(descriptor, header.payload_bytes, header.tag, flags & wire.SHARED)
        if flags & wire.SHARED:
            shapes = incoming.mail[2]
            incoming.place = [channel.shared(channel.peer, at, wire.size_of(*shape))
                              for at, shape in zip(wire.offsets_of(descriptor, len(shapes)), shapes)]
        elif incoming.mail[2] and not (flags & wire.INLINE and 0 < header.payload_bytes <= bytes_here):
            incoming.aim_at_own()                        # else it is all here, and is taken out in one piece
        incoming.deliver_s = self.meter.enter(header)
        return incoming

    def _letter(self, incoming: Incoming) -> None:
        mail = incoming.letter() if incoming.place is None else GivenMail(self, incoming)
        self.letters.setdefault(incoming.header.ctx, deque()).append((incoming.deliver_s, mail))
        self.fields[notice.PROGRESS] += 1


class GivenMail(ArrivedMail):
    """A letter whose tensors still lie in its sender's heap. Asked for `tensors`, it copies them and gives them back.

    The word to the sender goes with the next comm call: it may be the garbage collector that finds the letter read.
    """

    def __init__(self, endpoint: Letters, incoming: Incoming):
        super().__init__(incoming.src, incoming.mail, incoming.place)
        self._owed, self._number, self._peer = endpoint.read, incoming.header.number, incoming.src

    @property
    def tensors(self):
        if self._tensors is None:
            self._tensors = self.tensors_of([view.copy() for view in self.views()])
            self.release()
        return self._tensors

    @tensors.setter
    def tensors(self, tensors):
        self.release()
        self._tensors = tensors

    def views(self):
        if self._pieces is None and self._tensors is None:
            raise ValueError(f"mail {self.kind!r} of rank {self._peer} was released; take its views, or tensors, "
                             f"before that")
        return super().views()

    def release(self):
        if self._pieces is not None:
            self._pieces = None
            self._owed.append((self._peer, self._number))

    def __del__(self):
        self.release()
