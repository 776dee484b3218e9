"""Ranks meet over TCP: who does not know the secret stays outside, and disturbs nobody."""

import os
import socket
import threading
import time

import pytest
import torch.distributed as dist

from pslab.comm import CommError
from pslab.comm.torchworld import handshake
from pslab.comm.torchworld.handshake import HELLO, MAGIC, MAX_STRANGERS, connect, listening_host, mac, meet


class Rank(threading.Thread):
    """One rank's meet() in a thread."""

    def __init__(self, store, rank, world_size, **options):
        super().__init__(daemon=True)
        self.result = self.error = None
        self.call = lambda: meet(store, rank, world_size, "127.0.0.1", options.pop("timeout_s", 20.0), **options)
        self.start()

    def run(self):
        try:
            self.result = self.call()
        except CommError as error:
            self.error = error

    def done(self):
        self.join(30)
        assert not self.is_alive()
        if self.error:
            raise self.error
        return self.result


@pytest.fixture
def store():
    return dist.HashStore()


def address(store, rank):
    host, port = store.get(f"address/{rank}").decode().split()
    return host, int(port)


def secret(store):
    return bytes.fromhex(store.get("secret").decode())


def stranger(store):
    sock = socket.create_connection(address(store, 0), timeout=5)
    sock.settimeout(5)
    return sock


def is_refused(sock):
    """The listener hangs up (whatever it may have said before)."""
    try:
        while sock.recv(4096):
            continue
    except ConnectionError:
        return True
    finally:
        sock.close()
    return True


def close(result):
    for sock in result[0].values():
        sock.close()


def test_all_ranks_are_connected_to_all_and_the_listeners_are_closed(store):
    found = [rank.done() for rank in [Rank(store, r, 4) for r in range(4)]]
    for rank, (socks, refused) in enumerate(found):
        assert sorted(socks) == [r for r in range(4) if r != rank]
        assert refused == []
        for peer, sock in socks.items():
            sock.setblocking(True)
            sock.sendall(bytes([rank, peer]))
    for rank, (socks, _) in enumerate(found):
        for peer, sock in socks.items():
            assert sock.recv(2) == bytes([peer, rank])
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            assert sock.getsockname()[0] == "127.0.0.1"
    for rank in range(4):
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(address(store, rank), timeout=5)
        close(found[rank])


def hello(rank, nonce=None):
    return HELLO.pack(MAGIC, rank, os.urandom(32) if nonce is None else nonce)


def garbage(sock, store):
    sock.sendall(b"GET / HTTP/1.1\r\n\r\n")


def long_garbage(sock, store):
    sock.sendall(os.urandom(1 << 20))


def wrong_secret(sock, store):
    nonce = os.urandom(32)
    sock.sendall(hello(1, nonce))
    theirs = sock.recv(64)[:32]
    sock.sendall(mac(os.urandom(32), b"client", 0, 1, nonce, theirs))


def no_rank_of_the_run(sock, store):
    sock.sendall(hello(7))


def itself(sock, store):
    sock.sendall(hello(0))


def hangs_up(sock, store):
    sock.sendall(hello(1)[:20])
    sock.shutdown(socket.SHUT_WR)


def replay(sock, store):
    """A recorded hello and the right answer to the challenge of that time."""
    nonce = os.urandom(32)
    with stranger(store) as first:
        first.sendall(hello(1, nonce))
        proof = mac(secret(store), b"client", 0, 1, nonce, first.recv(64)[:32])
    sock.sendall(hello(1, nonce))
    sock.recv(64)
    sock.sendall(proof)


def echo(sock, store):
    """The listener's own proof, sent back."""
    nonce = os.urandom(32)
    sock.sendall(hello(1, nonce))
    sock.sendall(sock.recv(64)[32:])


def other_role(sock, store):
    """A proof made for another listener."""
    nonce = os.urandom(32)
    sock.sendall(hello(1, nonce))
    sock.sendall(mac(secret(store), b"client", 1, 1, nonce, sock.recv(64)[:32]))


@pytest.mark.parametrize(("intruder", "why"), [
    (garbage, "began with 47 45 54 20"), (long_garbage, "began with"),
    (wrong_secret, "without knowing this run's secret"),
    (no_rank_of_the_run, "called itself rank 7, which is not expected"), (itself, "rank 0, which is not expected"),
    (hangs_up, "hung up"), (replay, "without knowing"), (echo, "without knowing"), (other_role, "without knowing")])
def test_an_intruder_is_refused_and_the_run_goes_on(store, intruder, why):
    first = Rank(store, 0, 2)
    sock = stranger(store)
    try:
        intruder(sock, store)
    except ConnectionError:                        # refused while it was still talking
        sock.close()
    else:
        assert is_refused(sock)
    second = Rank(store, 1, 2)
    (found, refused), other = first.done(), second.done()
    assert list(found) == [1]
    assert any(why in text and "127.0.0.1" in text for text in refused), refused
    close((found, []))
    close(other)


def test_the_right_proof_is_let_in_and_a_second_one_of_the_same_rank_is_not(store):
    first = Rank(store, 0, 3)
    where, key = address(store, 0), secret(store)
    inside = connect(key, where, 1, 0, time.monotonic() + 5)
    with pytest.raises(CommError, match="rank 0 at 127.0.0.1:.* broke off the handshake"):
        connect(key, where, 1, 0, time.monotonic() + 5)
    last = connect(key, where, 2, 0, time.monotonic() + 5)
    found, refused = first.done()
    assert sorted(found) == [1, 2]
    assert "called itself rank 1, which is not expected (any more)" in refused[0]
    for sock in (inside, last, *found.values()):
        sock.close()


def test_two_of_one_rank_at_the_same_moment(store):
    """Both have said hello before either has proved anything: one comes in."""
    first = Rank(store, 0, 2)
    key, talks = secret(store), []
    for _ in range(2):
        nonce, sock = os.urandom(32), stranger(store)
        sock.sendall(hello(1, nonce))
        talks.append((sock, mac(key, b"client", 0, 1, nonce, sock.recv(64)[:32])))
    for sock, proof in talks:
        sock.sendall(proof)
    answers = sorted(sock.recv(1) for sock, _ in talks)
    assert answers == [b"", b"\x01"]
    close(first.done())


def test_who_says_nothing_is_sent_away_after_a_while(store):
    first = Rank(store, 0, 2, hello_s=0.2)
    silent, began_s = stranger(store), time.monotonic()
    slow = stranger(store)
    slow.sendall(hello(1)[:9])
    assert is_refused(silent)
    assert is_refused(slow)
    assert 0.1 < time.monotonic() - began_s < 3
    other = Rank(store, 1, 2)
    found = first.done()
    assert sum("said too little in 0.2 s" in text for text in found[1]) == 2
    close(found)
    close(other.done())


def test_a_crowd_of_silent_strangers_is_bounded_and_keeps_nobody_out(store, monkeypatch):
    most = []
    accept = handshake.Door._accept

    def counted(self):
        accept(self)
        most.append((len(self.strangers), sum(len(s.heard) for s in self.strangers.values())))

    monkeypatch.setattr(handshake.Door, "_accept", counted)
    first = Rank(store, 0, 2)
    crowd = [stranger(store) for _ in range(3 * MAX_STRANGERS)]
    for sock in crowd[::2]:
        try:
            sock.sendall(hello(1)[:40])
        except ConnectionError:
            continue
    other = Rank(store, 1, 2)
    (found, refused), second = first.done(), other.done()
    assert list(found) == [1]
    assert max(n for n, _ in most) == MAX_STRANGERS
    assert max(size for _, size in most) <= MAX_STRANGERS * HELLO.size
    assert len(refused) == MAX_STRANGERS                     # the last so many are kept in words
    for sock in crowd:
        sock.close()
    close((found, []))
    close(second)


def test_ranks_that_never_come_are_named_within_the_time(store):
    began_s = time.monotonic()
    with pytest.raises(CommError, match="rank 0: no connection from rank 1, 2 in time"):
        meet(store, 0, 3, "127.0.0.1", 0.3)
    assert time.monotonic() - began_s < 3
    with pytest.raises(CommError, match="rank 1 could not reach the others through torch's store"):
        meet(dist.HashStore(), 1, 2, "127.0.0.1", 0.3)


class FalseServer(threading.Thread):
    """Listens like a rank, answers a hello with what `answer(hello)` gives."""

    def __init__(self, answer):
        super().__init__(daemon=True)
        self.answer, self.listener = answer, socket.create_server(("127.0.0.1", 0))
        self.start()

    def run(self):
        sock, _ = self.listener.accept()
        with sock, self.listener:
            heard = sock.recv(HELLO.size)
            answer = self.answer(heard)
            if answer:
                sock.sendall(answer)
                sock.recv(64)


KEY = b"k" * 32


@pytest.mark.parametrize(("answer", "why"), [
    (lambda heard: os.urandom(64), "does not know this run's secret"),
    (lambda heard: heard[12:] + mac(KEY, b"client", 0, 1, heard[12:], heard[12:]), "does not know this run's secret"),
    (lambda heard: b"n" * 32 + mac(KEY, b"server", 2, 1, heard[12:], b"n" * 32), "does not know this run's secret"),
    (lambda heard: b"n" * 32 + mac(KEY, b"server", 0, 1, heard[12:], b"n" * 32), "broke off the handshake"),
    (lambda heard: b"short", "broke off the handshake"), (lambda heard: b"", "broke off the handshake")])
def test_who_connects_asks_for_a_proof_too(answer, why):
    server = FalseServer(answer)
    with pytest.raises(CommError, match=why):
        connect(KEY, server.listener.getsockname(), 1, 0, time.monotonic() + 1.0)
    server.join(5)


def test_nobody_listens_there():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        where = listener.getsockname()
    with pytest.raises(CommError, match=r"rank 1 cannot connect to rank 0 at 127\.0\.0\.1:.*host="):
        connect(KEY, where, 1, 0, time.monotonic() + 1.0)


@pytest.mark.parametrize(("environment", "host"), [
    ({"WORLD_SIZE": "4", "LOCAL_WORLD_SIZE": "4", "MASTER_ADDR": "far.example"}, "127.0.0.1"),
    ({"WORLD_SIZE": "4", "MASTER_ADDR": "localhost"}, "127.0.0.1"),
    ({"WORLD_SIZE": "1", "MASTER_ADDR": "far.example"}, "127.0.0.1")])
def test_ranks_of_one_host_listen_on_loopback(environment, host):
    assert listening_host({**environment, "MASTER_PORT": "1"}) == host


def test_ranks_of_several_hosts_need_an_address_that_others_reach():
    several = {"WORLD_SIZE": "4", "LOCAL_WORLD_SIZE": "2", "MASTER_PORT": "29500"}
    with pytest.raises(CommError, match="which other hosts cannot reach; name this host's address with host="):
        listening_host({**several, "MASTER_ADDR": "127.0.0.1"})
    with pytest.raises(CommError, match="MASTER_ADDR='no.such.invalid' cannot be resolved"):
        listening_host({**several, "MASTER_ADDR": "no.such.invalid"})


def test_nothing_is_let_in_on_an_empty_secret_or_a_cut_proof(store):
    """The comparison is of whole proofs."""
    first = Rank(store, 0, 2)
    nonce, sock = os.urandom(32), stranger(store)
    sock.sendall(hello(1, nonce))
    theirs = sock.recv(64)[:32]
    sock.sendall(mac(b"", b"client", 0, 1, nonce, theirs))
    assert is_refused(sock)
    other = Rank(store, 1, 2)
    close(first.done())
    close(other.done())
    assert len(secret(store)) == 32


def test_secrets_and_nonces_are_drawn_anew():
    """A conversation that somebody recorded opens neither side's door at the next one."""
    keys, heard = [], []
    for _ in range(2):
        store = dist.HashStore()
        close(meet(store, 0, 1, "127.0.0.1", 5.0))
        keys.append(secret(store))
        server = FalseServer(heard.append)
        with pytest.raises(CommError, match="broke off"):
            connect(KEY, server.listener.getsockname(), 1, 0, time.monotonic() + 5.0)
        server.join(5)
    assert keys[0] != keys[1]
    assert heard[0][:12] == heard[1][:12] == HELLO.pack(MAGIC, 1, b"")[:12]
    assert heard[0][12:] != heard[1][12:]
