"""One connection of a TorchWorld: frames in any pieces, what is no frame or only claimed, who is ahead, who is gone."""

import socket

import numpy as np
import pytest

from pslab.comm import WireError, wire
from pslab.comm.torchworld.channel import Lines


class Half(Lines):
    """The upper half of an endpoint that only notes what it is given."""

    def __init__(self, sock, epoch=1):
        self.epoch, self.frames, self.gone = epoch, [], []
        self.open({7: sock})
        self.channel = self.channels[7]

    def frame(self, channel, header, descriptor, payload):
        self.frames.append((header.kind, header.number, descriptor, bytes(payload)))

    def hung_up(self, peer):
        self.gone.append(peer)

    def hear(self):
        while self.progress(20):
            continue


@pytest.fixture
def ends():
    near, far = socket.socketpair()
    near.setblocking(False)
    half = Half(near)
    yield half, far
    near.close()
    far.close()


def frame(number, payload=b"", descriptor=b"", epoch=1, flags=wire.INLINE):
    return wire.pack(wire.MAIL, flags, epoch, 0, 0, len(descriptor), number, len(payload)) + descriptor + payload


def test_frames_in_pieces_of_any_size(ends):
    half, far = ends
    stream = b"".join([frame(1), frame(2, b"abc", b"dd"), frame(3, b"", b"x" * 300), frame(4, bytes(range(200)))])
    for at in range(len(stream)):
        far.sendall(stream[at:at + 1])
        half.progress(20)
    far.sendall(stream)
    half.hear()
    one = [(wire.MAIL, 1, b"", b""), (wire.MAIL, 2, b"dd", b"abc"), (wire.MAIL, 3, b"x" * 300, b""),
           (wire.MAIL, 4, b"", bytes(range(200)))]
    assert half.frames == one * 2


def test_what_the_socket_does_not_take_is_copied_and_sent_later(ends):
    half, far = ends
    payload = np.arange(3_000_000, dtype=np.uint8)
    head = wire.pack(wire.MAIL, wire.INLINE, 1, number=5, payload_bytes=payload.size)
    expected = head + payload.tobytes()
    half.channel.send(head, [payload])
    payload[:] = 99
    half.channel.send(frame(6))
    assert half.channel.out                                # a socket's buffer is smaller than that
    got = b""
    while len(got) < len(expected) + len(frame(6)):
        got += far.recv(1 << 20)
        half.progress(0)
    assert got == expected + frame(6)
    assert not half.channel.out


def test_long_descriptors_and_payloads_across_the_buffer(ends):
    half, far = ends
    text, payload = b"d" * 300_000, np.random.default_rng(1).bytes(1_000_001)
    far.setblocking(False)
    left = memoryview(frame(1, payload, text) + frame(2))
    while left:
        try:
            left = left[far.send(left):]
        except BlockingIOError:
            half.progress(0)
    half.hear()
    assert half.frames == [(wire.MAIL, 1, text, payload), (wire.MAIL, 2, b"", b"")]


def test_foreign_bytes_are_no_frame(ends):
    half, far = ends
    far.sendall(b"GET / HTTP/1.1\r\n" * 9)
    with pytest.raises(WireError, match="a foreign frame"):
        half.hear()


def test_a_claimed_length_reserves_no_memory(ends):
    half, far = ends
    far.sendall(wire.pack(wire.MAIL, wire.INLINE, 1, payload_bytes=1 << 39) + b"abc")
    half.hear()
    assert half.channel.landed == 3
    assert half.channel.payload.nbytes <= wire.STEP
    far.sendall(wire.pack(wire.MAIL, wire.INLINE, 1, payload_bytes=1 << 41)[:10])
    assert half.channel.header.payload_bytes == 1 << 39


def test_frames_of_a_peer_who_is_ahead_wait_for_their_run(ends):
    half, far = ends
    far.sendall(frame(1) + frame(2, b"later", epoch=2) + frame(3, epoch=2))
    half.hear()
    assert [number for _, number, *_ in half.frames] == [1]
    assert half.channel.paused
    far.sendall(frame(4, epoch=2))
    assert not half.progress(30)                           # not even read: it would fill memory here
    half.epoch = 2
    half.parse()
    half.hear()
    assert [number for _, number, *_ in half.frames] == [1, 2, 3, 4]


def test_frames_of_an_earlier_run_are_dropped_and_two_runs_ahead_is_an_error(ends):
    half, far = ends
    half.epoch = 3
    far.sendall(frame(1, b"old", epoch=1) + frame(2, epoch=3))
    half.hear()
    assert [number for _, number, *_ in half.frames] == [2]
    far.sendall(frame(3, epoch=5))
    with pytest.raises(WireError, match="a frame of run 5 arrived in run"):
        half.hear()


@pytest.mark.parametrize("rest", [b"", frame(9)[:30], frame(9, b"payload")[:-2]])
def test_a_peer_who_hangs_up_is_told_once(ends, rest):
    half, far = ends
    far.sendall(frame(1) + rest)
    far.close()
    half.hear()
    assert [number for _, number, *_ in half.frames] == [1]
    assert half.gone == [7]
    half.channel.send(frame(2))                            # into nothing
    assert not half.channel.out
    assert not half.progress(0)
    half.parse()                                           # and again when the next run begins
    assert half.gone == [7, 7]
