"""The tensors of one rank's end: each message meets the receive it is for, in whichever order the two come.

    isend ─> channel ─> … ─> announced() ─> posted receive, or kept until one is posted ─> finished
                                                                                              │ relay
                             a tensor in shared memory is read there, by everyone <── isend <─┘

Who sent what lies in shared memory gets a credit when it has been read. In a relay the middle one gives its credit when
it has got its own: the memory is lent until the last in the chain has read it.
"""

from __future__ import annotations

from collections import deque

from .. import arrays, wire
from . import board as notice
from .channel import Channel, Outgoing
from .incoming import INLINE_LIMIT, Incoming, RecvWork
from .outgoing import SendWork, flags_of


class Tensors:
    """The part of a `ProcessEndpoint` that moves tensors."""

    def isend(self, array, name, dst, ctx, tag, sync, control, place=None):
        """`place`: where the array lies in shared memory already, (rank whose heap it is, offset)."""
        channel, size = self.channels[dst], array.nbytes
        flags = flags_of(sync, control)
        work = SendWork(self, dst, tag, 1 + bool(sync), control)
        descriptor = wire.describe(array.shape, name)
        channel.number += 1
        stamp_s = 0.0
        if not control:
            self.meter.tensor_out(dst, size)
            stamp_s, work.leave_s = self.meter.leave(size)
        else:
            self.meter.start_anew()
        if place is None and self.heap is not None and size > INLINE_LIMIT:
            offset = self.heap.find(array)
            place = None if offset is None else (self.rank, offset)
        pieces = []
        if place is not None:
            flags |= wire.SHARED
            descriptor += wire.PLACE.pack(*place)
            work.owed, work.lent = 1, array
        elif size:
            pieces = [array.reshape(-1).view("uint8")]
        staged = self.heap is not None and size > INLINE_LIMIT and place is None
        if not staged and place is None:
            flags |= wire.INLINE
        if sync or place is not None:
            channel.waiting[channel.number] = work
        head = wire.pack(wire.TENSOR, flags, self.epoch, ctx, tag, len(descriptor), channel.number, size, stamp_s)
        channel.send(Outgoing(head + descriptor, pieces, None if place is not None else work, staged))
        return work

    def irecv(self, src, ctx, tag, out, op, control):
        return self._post(RecvWork(self, src, ctx, tag, out, op, control))

    def irecv_plus(self, src, ctx, tag, out, op, plus):
        return self._post(RecvWork(self, src, ctx, tag, out, op, False, plus))

    def relay(self, src, dst, ctx, tag, out):
        came = self._post(RecvWork(self, src, ctx, tag, out, None, False, keeps=True))
        tensor, kept = came.wait(), came.kept
        work = self.isend(came.array, came.name, dst, ctx, tag, False, False, None if kept is None else kept.place)
        work.kept = kept
        return tensor, work

    def stages(self, array):
        return self.heap is not None and array.nbytes > INLINE_LIMIT and self.heap.find(array) is None

    def _post(self, work: RecvWork) -> RecvWork:
        if self.meter.link is not None:
            work.posted_s = self.meter.now_s()
        key = (work.src, work.ctx, work.tag)
        kept = self.unexpected.get(key)
        if kept:
            incoming = kept.popleft()
            self._match(self.channels[work.src], incoming, work)
            if incoming.complete and not incoming.discard:
                self._finish(incoming)
        else:
            self.posted.setdefault(key, deque()).append(work)
        return work

    def announced(self, channel: Channel, incoming: Incoming) -> None:
        """A tensor's header came: find the receive that waits for it, or keep it."""
        header = incoming.header
        key = (incoming.src, header.ctx, header.tag)
        waiting = self.posted.get(key)
        if waiting:
            self._match(channel, incoming, waiting.popleft())
        else:
            self.unexpected.setdefault(key, deque()).append(incoming)
            if incoming.view is None:
                incoming.aim_at_own()

    def _match(self, channel: Channel, incoming: Incoming, work: RecvWork) -> None:
        header = incoming.header
        incoming.deliver_s = self.meter.enter(header, work.posted_s)
        if not header.flags & wire.CONTROL:
            self.meter.tensor_in(incoming.src)
        if work.array is not None:
            try:
                arrays.check_fits(work.array, work.name, incoming.shape, incoming.name, incoming.src, self.rank)
            except ValueError as error:
                work.error, work.done, incoming.discard = error, True, True
                text = str(error).encode()
                frame = wire.pack(wire.NACK, 0, self.epoch, number=header.number, descriptor_bytes=len(text))
                channel.say(frame + text)
                return
            if incoming.own is None:
                incoming.aim(work.array, work.op, work.plus)
        elif incoming.own is None and incoming.view is None:
            incoming.aim_at_own()
        incoming.work = work
        if header.flags & wire.SYNC and not header.flags & wire.SHARED:
            channel.say(wire.pack(wire.ACK, 0, self.epoch, number=header.number))

    def arrived(self, channel: Channel, incoming: Incoming) -> None:
        """All bytes of a message are here."""
        if incoming.mail is not None:
            self._letter(incoming)
        elif incoming.work is not None:
            self._finish(incoming)

    def _finish(self, incoming: Incoming) -> None:
        work, header = incoming.work, incoming.header
        if work.array is None:
            work.array, work.name = incoming.array(), incoming.name
        elif incoming.view is not None:
            incoming.land(incoming.view)
        elif incoming.own is not None:
            arrays.land(work.array, incoming.array(), work.op, work.name, work.plus)
        if work.keeps and incoming.place is not None:
            work.kept = incoming
        elif header.flags & wire.SHARED:
            self.credit(incoming)
        work.deliver_s, work.done = incoming.deliver_s, True        # in this order: another thread may look
        self.fields[notice.PROGRESS] += 1

    def credit(self, incoming: Incoming) -> None:
        """Tell the sender that what lies in shared memory has been read."""
        channel = self.channels[incoming.src]
        channel.say(wire.pack(wire.CREDIT, wire.SHARED, self.epoch, number=incoming.header.number))
