"""How ranks find each other and prove that they belong together, before a word of a run is said.

    store (torch's)      secret ── 32 random bytes, put there by rank 0        address/r ── host:port of rank r
    rank p > r                                    rank r, listening
      hello: magic, p, nonce of p   ──────────>
                                    <──────────   nonce of r, HMAC(secret, "server", r, p, both nonces)
      HMAC(secret, "client", ...)   ──────────>
                                    <──────────   OK; from here on: frames of the kit

Both sides show that they know the secret, over nonces that the other side drew: a recorded conversation proves nothing.
Who listens reads at most 44 + 32 bytes of a stranger, gives each HELLO_S seconds, and hears at most MAX_STRANGERS at a
time, so that nobody can hold up the ranks or fill their memory. The listener is closed when all ranks are there.
Frames are neither signed nor encrypted after that: the network between the hosts must be one that you trust.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import select
import socket
import struct
import time
from collections import deque
from datetime import timedelta

from ..errors import CommError

MAGIC = b"PSLM0001"
HELLO = struct.Struct("<8sI32s")
NONCE_BYTES = MAC_BYTES = 32
OK = b"\x01"
HELLO_S = 5.0
MAX_STRANGERS = 64


def meet(store, rank: int, world_size: int, host: str, timeout_s: float, hello_s: float = HELLO_S):
    """({peer: connected socket} for all other ranks, [why a connection was refused]); CommError after timeout_s.

    store: torch's, the same on all ranks. host: address of this rank's listener, reachable from the other ranks.
    """
    until_s = time.monotonic() + timeout_s
    refused: deque[str] = deque(maxlen=MAX_STRANGERS)
    with socket.create_server((host, 0), family=_family(host), backlog=128) as listener:
        try:
            if rank == 0:
                store.set("secret", os.urandom(32).hex())
            store.set(f"address/{rank}", f"{host} {listener.getsockname()[1]}")
            store.set_timeout(timedelta(seconds=timeout_s))
            secret = bytes.fromhex(store.get("secret").decode())
            socks = {}
            for peer in range(rank):
                where = store.get(f"address/{peer}").decode().split()
                socks[peer] = connect(secret, (where[0], int(where[1])), rank, peer, until_s)
        except (RuntimeError, ValueError) as error:          # torch's store says a time-out as a RuntimeError
            raise CommError(f"rank {rank} could not reach the others through torch's store: {error}") from error
        socks |= Door(listener, secret, rank, range(rank + 1, world_size), hello_s, refused).open_until(until_s)
    for sock in socks.values():
        _prepare(sock)
    return socks, list(refused)


def connect(secret: bytes, address: tuple[str, int], rank: int, peer: int, until_s: float) -> socket.socket:
    """The connecting side."""
    where = f"rank {peer} at {address[0]}:{address[1]}"
    try:
        sock = socket.create_connection(address, timeout=_left(until_s))
    except OSError as error:
        raise CommError(f"rank {rank} cannot connect to {where}: {error.strerror or error}; the hosts must reach each "
                        "other on any port (name this host's address with host=)") from error
    try:
        mine = os.urandom(NONCE_BYTES)
        sock.sendall(HELLO.pack(MAGIC, rank, mine))
        answer = _exactly(sock, NONCE_BYTES + MAC_BYTES, until_s)
        theirs, proof = answer[:NONCE_BYTES], answer[NONCE_BYTES:]
        if not hmac.compare_digest(proof, mac(secret, b"server", peer, rank, mine, theirs)):
            raise CommError(f"what answers as {where} does not know this run's secret")
        sock.sendall(mac(secret, b"client", peer, rank, mine, theirs))
        if _exactly(sock, len(OK), until_s) != OK:
            raise CommError(f"what answers as {where} does not speak this kit's language")
    except OSError as error:
        sock.close()
        raise CommError(f"{where} broke off the handshake: {error}") from error
    except CommError:
        sock.close()
        raise
    return sock


def mac(secret: bytes, role: bytes, server: int, client: int, client_nonce: bytes, server_nonce: bytes) -> bytes:
    """What only a holder of the secret can say about this one conversation; the role forbids to echo it."""
    text = b"\0".join((MAGIC, role, struct.pack("<II", server, client), client_nonce, server_nonce))
    return hmac.new(secret, text, hashlib.sha256).digest()


class Door:
    """The listening side: hears many strangers at once, lets in each expected rank once."""

    def __init__(self, listener: socket.socket, secret: bytes, rank: int, expected, hello_s: float, refused: deque):
        self.listener, self.secret, self.rank, self.hello_s, self.refused = listener, secret, rank, hello_s, refused
        self.missing = set(expected)
        self.inside: dict[int, socket.socket] = {}
        self.strangers: dict[int, Stranger] = {}              # by descriptor, oldest first

    def open_until(self, until_s: float) -> dict[int, socket.socket]:
        """Sockets of all expected ranks; CommError names those that did not come in time."""
        self.listener.setblocking(False)
        poller = select.poll()
        poller.register(self.listener, select.POLLIN)
        self.poller = poller
        try:
            while self.missing:
                now_s = time.monotonic()
                if now_s >= until_s:
                    for sock in self.inside.values():
                        sock.close()
                    raise CommError(f"rank {self.rank}: no connection from rank {_listed(self.missing)} in time"
                                    + (f"; refused meanwhile: {'; '.join(list(self.refused)[:3])}"
                                       if self.refused else ""))
                for stranger in [s for s in self.strangers.values() if now_s - s.since_s >= self.hello_s]:
                    self._refuse(stranger, f"said too little in {self.hello_s:g} s")
                for fd, _ in poller.poll(min(until_s - now_s, self.hello_s / 4) * 1000):
                    if fd == self.listener.fileno():
                        self._accept()
                    elif fd in self.strangers:
                        self._hear(self.strangers[fd])
        finally:
            for stranger in list(self.strangers.values()):
                self._refuse(stranger, "was not needed any more")
        return self.inside

    def _accept(self) -> None:
        try:
            sock, address = self.listener.accept()
        except OSError:                                       # gone before it was heard
            return
        sock.setblocking(False)
        if len(self.strangers) >= MAX_STRANGERS:
            self._refuse(next(iter(self.strangers.values())), f"was the oldest of {MAX_STRANGERS} that said nothing")
        self.strangers[sock.fileno()] = Stranger(sock, str(address[0]))
        self.poller.register(sock, select.POLLIN)

    def _hear(self, stranger: Stranger) -> None:
        try:
            data = stranger.sock.recv(stranger.wanted - len(stranger.heard))
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._refuse(stranger, "hung up in the middle of its hello")
            return
        stranger.heard += data
        if stranger.nonces is None and not MAGIC.startswith(stranger.heard[:8]):
            self._refuse(stranger, f"began with {stranger.heard[:8].hex(' ')}")
        elif len(stranger.heard) == stranger.wanted:
            (self._challenge if stranger.nonces is None else self._verify)(stranger)

    def _challenge(self, stranger: Stranger) -> None:
        _, claimed, theirs = HELLO.unpack(stranger.heard)
        if claimed not in self.missing:
            self._refuse(stranger, f"called itself rank {claimed}, which is not expected (any more)")
            return
        mine = os.urandom(NONCE_BYTES)
        stranger.claimed, stranger.nonces, stranger.heard, stranger.wanted = claimed, (theirs, mine), b"", MAC_BYTES
        self._say(stranger, mine + mac(self.secret, b"server", self.rank, claimed, theirs, mine))

    def _verify(self, stranger: Stranger) -> None:
        right = mac(self.secret, b"client", self.rank, stranger.claimed, *stranger.nonces)
        if not hmac.compare_digest(stranger.heard, right):
            self._refuse(stranger, f"called itself rank {stranger.claimed} without knowing this run's secret")
        elif stranger.claimed not in self.missing:
            self._refuse(stranger, f"was a second rank {stranger.claimed}")
        elif self._say(stranger, OK):
            self._forget(stranger)
            self.missing.discard(stranger.claimed)
            self.inside[stranger.claimed] = stranger.sock

    def _say(self, stranger: Stranger, data: bytes) -> bool:
        """Into an empty socket buffer 64 bytes always fit at once."""
        try:
            stranger.sock.sendall(data)
            return True
        except OSError:
            self._refuse(stranger, "hung up in the middle of its hello")
            return False

    def _refuse(self, stranger: Stranger, why: str) -> None:
        self.refused.append(f"a connection from {stranger.address} {why}")
        self._forget(stranger)
        stranger.sock.close()

    def _forget(self, stranger: Stranger) -> None:
        del self.strangers[stranger.sock.fileno()]
        self.poller.unregister(stranger.sock)


class Stranger:
    """A connection that has proved nothing yet."""

    def __init__(self, sock: socket.socket, address: str):
        self.sock, self.address, self.since_s = sock, address, time.monotonic()
        self.heard, self.wanted, self.claimed, self.nonces = b"", HELLO.size, -1, None


def listening_host(environ, timeout_s: float = 5.0) -> str:
    """Loopback when all ranks are on this host, else the address from which this host reaches the store's."""
    if environ.get("LOCAL_WORLD_SIZE") == environ["WORLD_SIZE"] or environ["WORLD_SIZE"] == "1":
        return "127.0.0.1"
    master, port = environ["MASTER_ADDR"], int(environ["MASTER_PORT"])
    if master in ("localhost", "127.0.0.1", "::1") and "LOCAL_WORLD_SIZE" not in environ:
        return "127.0.0.1"
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(master, port, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.connect(address)                            # a datagram socket: nothing is sent
            mine = probe.getsockname()[0]
    except OSError as error:
        raise CommError(f"MASTER_ADDR={master!r} cannot be resolved or reached ({error}); name this host's address "
                        "with host=") from error
    if mine.startswith("127.") or mine == "::1":
        raise CommError(f"MASTER_ADDR={master!r} is {mine} on this host, which other hosts cannot reach; name this "
                        "host's address with host=, or give torchrun an address of the network")
    return mine


def _prepare(sock: socket.socket) -> None:
    """For small frames at once, and to notice within half a minute that a host is gone without a word."""
    sock.setblocking(False)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (("TCP_KEEPIDLE", 10), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 4), ("TCP_USER_TIMEOUT", 30_000)):
        if hasattr(socket, name):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def _exactly(sock: socket.socket, size: int, until_s: float) -> bytes:
    data = b""
    while len(data) < size:
        sock.settimeout(_left(until_s))
        piece = sock.recv(size - len(data))
        if not piece:
            raise ConnectionError("it hung up")
        data += piece
    return data


def _left(until_s: float) -> float:
    left_s = until_s - time.monotonic()
    if left_s <= 0:
        raise TimeoutError("no time is left")
    return left_s


def _family(host: str) -> int:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _listed(ranks) -> str:
    return ", ".join(map(str, sorted(ranks)))
