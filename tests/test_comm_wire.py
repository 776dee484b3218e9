"""The wire format: what is refused, and that memory never grows with a claim."""

import socket
import struct
import tracemalloc

import msgpack
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pslab.comm import WireError, arrays, wire
from pslab.comm.process.board import Board
from pslab.comm.process.endpoint import ProcessEndpoint
from pslab.comm.process.memory import anonymous_file

EPOCH = 7


@pytest.fixture
def end():
    """Rank 1's endpoint and the raw socket of its peer, rank 0."""
    near, far = socket.socketpair()
    made = ProcessEndpoint(1, 2, {0: near}, None, {}, Board(anonymous_file("test-board"), 2))
    made.begin(EPOCH, 0, None, None)
    yield made, far
    near.close()
    far.close()


def tensor_frame(array, tag=0, epoch=EPOCH, claim=None, flags=wire.INLINE):
    descriptor = wire.describe(array.shape, "float32")
    size = array.nbytes if claim is None else claim
    return wire.pack(wire.TENSOR, flags, epoch, 0, tag, len(descriptor), 1, size) + descriptor + array.tobytes()


def read_all(endpoint):
    while endpoint.progress(0):
        continue


X = np.arange(6, dtype=np.float32)


def test_a_whole_frame_arrives_also_byte_by_byte(end):
    endpoint, peer = end
    work = endpoint.irecv(0, 0, 0, None, None, False)
    for byte in tensor_frame(X):
        peer.send(bytes([byte]))
        read_all(endpoint)
    assert work.wait(1.0).tolist() == X.tolist()


@pytest.mark.parametrize(("data", "text"), [
    (b"GET / HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\nContent-Length: 0\r\n\r\n", "foreign frame.*47 45 54 20"),
    (wire.pack(99, 0, EPOCH), "foreign frame"),
    (wire.pack(wire.TENSOR, wire.INLINE, EPOCH, payload_bytes=1 << 62), "oversized frame"),
    (wire.pack(wire.MAIL, wire.INLINE, EPOCH, descriptor_bytes=1 << 31), "oversized frame"),
    (wire.pack(wire.TENSOR, wire.INLINE, EPOCH + 1), "run 8 arrived in run 7"),
    (tensor_frame(X, claim=4 * 10**9), "claims 4,000,000,000 bytes for float32.6., which needs 24"),
    (tensor_frame(X, claim=20), "claims 20 bytes"),
    (wire.pack(wire.TENSOR, wire.INLINE, EPOCH, descriptor_bytes=3, payload_bytes=0) + b"abc", "no shape"),
    (wire.pack(wire.TENSOR, wire.INLINE, EPOCH, descriptor_bytes=16) + struct.pack("<BB6xq", 0, 1, -5), "negative"),
    (wire.pack(wire.MAIL, wire.INLINE, EPOCH, descriptor_bytes=3) + b"\xc1\xc1\xc1", "first page cannot be read"),
    (wire.pack(wire.MAIL, wire.INLINE, EPOCH, descriptor_bytes=2) + msgpack.packb([1])[:2], "letter"),
    (wire.pack(wire.CHUNK, 0, EPOCH, payload_bytes=8), "piece of 8 bytes of no message"),
])
def test_truncated_oversized_and_foreign_frames_are_refused(end, data, text):
    endpoint, peer = end
    peer.sendall(data + bytes(64))
    with pytest.raises(WireError, match=text):
        read_all(endpoint)


def test_a_peer_that_hangs_up_in_the_middle_is_named(end):
    endpoint, peer = end
    work = endpoint.irecv(0, 0, 0, None, None, False)
    peer.sendall(tensor_frame(X)[:-3])
    peer.close()
    with pytest.raises(WireError, match="rank 0 hung up in the middle of a message"):
        work.wait(20.0)


def test_frames_of_an_earlier_run_are_skipped(end):
    endpoint, peer = end
    peer.sendall(tensor_frame(X + 100, epoch=EPOCH - 1) + tensor_frame(X))
    assert endpoint.irecv(0, 0, 0, None, None, False).wait(1.0).tolist() == X.tolist()


def test_a_run_that_begins_in_the_middle_of_an_old_frame_skips_its_rest(end):
    endpoint, peer = end
    large = np.ones(200_000, np.float32)
    frame = tensor_frame(large)
    peer.setblocking(False)
    sent = peer.send(frame)
    read_all(endpoint)
    endpoint.begin(EPOCH + 1, 0, None, None)
    work = endpoint.irecv(0, 0, 0, None, None, False)
    rest = frame[sent:] + tensor_frame(X, epoch=EPOCH + 1)
    while rest:
        try:
            rest = rest[peer.send(rest):]
        except BlockingIOError:
            read_all(endpoint)
    assert work.wait(1.0).tolist() == X.tolist()


@pytest.mark.parametrize("kind", ["tensor", "mail"])
def test_memory_does_not_grow_with_a_claimed_length(end, kind):
    endpoint, peer = end
    count = 25_000_000_000                                   # 100 GB are claimed, 24 bytes sent
    if kind == "tensor":
        descriptor = struct.pack("<BB6xq", 0, 1, count)
        head = wire.pack(wire.TENSOR, wire.INLINE, EPOCH, 0, 0, len(descriptor), 1, 4 * count)
    else:
        descriptor = msgpack.packb(["k", {}]) + struct.pack("<BB6xq", 0, 1, count)
        head = wire.pack(wire.MAIL, wire.INLINE, EPOCH, 0, 0, len(descriptor), 1, 4 * count)
    tracemalloc.start()
    try:
        peer.sendall(head + descriptor + X.tobytes())
        read_all(endpoint)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak <= wire.STEP + (1 << 20)


def test_a_long_descriptor_is_read_as_its_bytes_come(end):
    endpoint, peer = end
    meta = {"names": ["x" * 1000] * 600}
    descriptor, head_bytes = wire.describe_mail("k", meta, [])
    frame = wire.pack(wire.MAIL, wire.INLINE, EPOCH, 0, head_bytes, len(descriptor)) + descriptor
    peer.setblocking(False)
    while frame:
        try:
            frame = frame[peer.send(frame):]
        except BlockingIOError:
            read_all(endpoint)
    read_all(endpoint)
    assert endpoint.poll(0, 1.0).meta == meta


@given(st.binary(max_size=300))
def test_garbage_is_never_a_value(data):
    """Either it happens to be msgpack, or it is refused as WireError: nothing else, and nothing is executed."""
    try:
        wire.decode(data)
    except WireError:
        return
    assert msgpack.unpackb(data, strict_map_key=False, ext_hook=lambda *_: None) is not Ellipsis


values = st.recursive(
    st.none() | st.booleans() | st.integers(-2**63, 2**64 - 1) | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.lists(inner).map(tuple) | st.dictionaries(st.text() | st.integers(0, 99), inner),
    max_leaves=20)


@given(values)
def test_values_come_back_as_they_were(value):
    back = wire.decode(wire.encode(value))
    assert back == value
    assert repr(back) == repr(value)                          # tuples stay tuples, True does not become 1


@pytest.mark.parametrize("name", arrays.DTYPES)
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 0, 3), (2, 3, 1)])
def test_tensors_of_every_dtype_and_shape_come_back(name, shape):
    size = int(np.prod(shape))
    array = (np.arange(size) % 2).astype(arrays.numpy_dtype(name)).reshape(shape)
    tensor = arrays.tensor_of(array, name)
    back = wire.decode(wire.encode({"t": tensor}))["t"]
    assert back.dtype == tensor.dtype
    assert back.shape == tensor.shape
    assert torch.equal(back, tensor)


@pytest.mark.parametrize("value", [object(), {"a": {1, 2}}, 2**70, lambda: 0, ValueError("x")])
def test_what_cannot_travel_is_refused_in_words(value):
    with pytest.raises(ValueError, match="allowed are None, bool, int"):
        wire.encode(value)


def test_a_meta_that_cannot_travel_leaves_nothing_behind_for_the_next():
    for bad in ({"a": object()}, {"a": [1, 2, {"b": {1, 2}}]}, {"n": 2**70}):
        with pytest.raises(ValueError, match="cannot travel"):
            wire.describe_mail("k", bad, [])
        descriptor, head_bytes = wire.describe_mail("k", {"q": 1}, [])
        assert wire.read_mail(descriptor, 0, head_bytes) == ("k", {"q": 1}, [])


def test_remembered_shapes_are_still_compared_with_the_payload():
    page = wire.describe((3, 5), "float32")
    assert wire.shape_of(page, 60) == wire.shape_of(page, -1) == ((3, 5), "float32")
    for wrong in (0, 59, 61):
        with pytest.raises(WireError, match="which needs 60"):
            wire.shape_of(page, wrong)
