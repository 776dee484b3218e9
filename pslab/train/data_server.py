"""Training-data servers: S ranks that hold the rows, and hand them out to K workers, a batch to whoever asks.

    worker ──"next" q, epoch──────────> server       the next batch of its shuffled rows: to this worker, to no other
           <──"batch" q, ids, tensors──
    worker ──"next" q+1, epoch────────> server
           <──"end" q+1───────────────               no rows of this epoch are left here: on to another server

Every row goes to exactly one worker in an epoch, whatever the workers' speed: a slow one asks less often, and gets
fewer batches. So the workers do *not* take equally many steps: what fits are updates that do not wait for everyone (a
parameter server); an all-reduce after each batch would stall. A `pslab.data.Partition` is the other way.

Mail may be lost, doubled and overtaken where `retry_s` is given: a request is repeated until it is answered, and the
server knows a repeated one by its number q and gives the same answer, for a worker asks one thing at a time. The end is
told by tensors, which are never lost.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import torch

from pslab.comm import Comm, Mail
from pslab.data import Partition

GO_TAG = 1_414_213_562        # of the servers' last word; none of a program's own


class DataServer:
    """The rows of one server and what became of them. It answers letters and knows of no network.

    tensors   the rows, each tensor (n, ...) with a row of every example: inputs, labels, ...
    batch     rows in a batch; the last one of an epoch may be shorter
    ids       (n,) their numbers in the whole data set, sent along; None: 0 to n − 1
    seed      of the order, another one in each epoch; shuffle False: as they lie
    """

    def __init__(self, tensors: Sequence[torch.Tensor], *, batch: int, ids: torch.Tensor | None = None, seed: int = 0,
                 shuffle: bool = True):
        self.tensors = [torch.as_tensor(tensor) for tensor in tensors]
        lengths = {len(tensor) for tensor in self.tensors}
        if len(lengths) != 1:
            raise ValueError(f"tensors have {', '.join(map(str, map(len, self.tensors))) or 'no'} rows; "
                             "at least one tensor, and equally many rows in all of them, are needed")
        rows, = lengths
        if isinstance(batch, bool) or not isinstance(batch, int) or batch < 1:
            raise ValueError(f"batch={batch!r}; a whole number from 1 on is needed")
        self.ids = torch.arange(rows) if ids is None else torch.as_tensor(ids, dtype=torch.int64)
        if self.ids.shape != (rows,):
            raise ValueError(f"ids has shape {tuple(self.ids.shape)}; one number for each of the {rows} rows is needed")
        self.batch, self._dealt = batch, Partition(rows, 1, seed, shuffle)
        self.batches: Counter[int] = Counter()            # worker -> batches handed out to it
        self._answers: dict[int, Mail] = {}               # worker -> its last answer, should the request come again
        self._begin(0)

    def handle(self, mail: Mail) -> tuple[Mail, bool] | None:
        """(answer, whether it was given before); None for a letter that has long been answered."""
        number, epoch, last = mail.meta["q"], mail.meta["epoch"], self._answers.get(mail.src)
        if last is not None and number <= last.meta["q"]:
            return (last, True) if number == last.meta["q"] else None
        if epoch > self.epoch:
            left = len(self._order) - self._at
            if left:
                raise ValueError(f"worker {mail.src} asks for epoch {epoch}; of epoch {self.epoch}, {left} rows are "
                                 "not handed out yet: an epoch must be read to its end")
            self._begin(epoch)
        answer = self._answers[mail.src] = self._next(mail.src, number, epoch)
        return answer, False

    def _begin(self, epoch: int) -> None:
        self.epoch, self._order, self._at = epoch, self._dealt.of(0, epoch), 0

    def _next(self, worker: int, number: int, epoch: int) -> Mail:
        rows = self._order[self._at:self._at + self.batch] if epoch == self.epoch else ()
        if not len(rows):
            return Mail(worker, "end", {"q": number})
        self._at += len(rows)
        self.batches[worker] += 1
        return Mail(worker, "batch", {"q": number}, [self.ids[rows], *(tensor[rows] for tensor in self.tensors)])


def serve_data(comm: Comm, server: DataServer, workers: Sequence[int]) -> dict[int, int]:
    """Answer until every worker has closed; gives {worker: batches it got here}."""
    left = set(workers)
    while left:
        mail = comm.poll()
        if mail.kind == "bye":
            left.discard(mail.src)
            continue
        answered = server.handle(mail)
        if answered is not None:
            answer, again = answered
            comm.post(mail.src, answer.kind, answer.meta, answer.tensors, retry=again)
    for work in [comm.isend(torch.ones(1, dtype=torch.uint8), worker, GO_TAG) for worker in workers]:
        work.wait()
    return {worker: server.batches[worker] for worker in workers}


class DataWorker:
    """A worker's side. All mail of `comm` is its own: beside other mail, give it a group made by `comm.split`.

    servers   their ranks; each worker begins with another one, and asks them in turn
    ahead     whether the next batch is asked for before the last one is worked on, so that it travels meanwhile
    retry_s   seconds until an unanswered request is sent again; None where no mail is lost
    """

    def __init__(self, comm: Comm, servers: Sequence[int], *, ahead: bool = True, retry_s: float | None = None):
        if not servers:
            raise ValueError("servers is empty; one rank at least is needed")
        if retry_s is not None and not 0 < retry_s < float("inf"):
            raise ValueError(f"retry_s={retry_s}; seconds above 0, or None where no mail is lost, is needed")
        self.comm, self.servers, self.ahead, self.retry_s = comm, list(servers), ahead, retry_s
        self.batches = self.rows = self.resent = 0
        self._asked: tuple[int, dict] | None = None       # the request that waits for its answer
        self._number = 0
        self._reading = False

    def epoch(self, epoch: int) -> Iterator[list[torch.Tensor]]:
        """The batches of this worker in an epoch (0, 1, 2, ...), each as [ids, tensors ...]; read it to its end."""
        if self._reading:
            raise ValueError(f"epoch {epoch} is asked for, while another one is not read to its end")
        self._reading = True
        first = self.comm.rank % len(self.servers)
        turn = self.servers[first:] + self.servers[:first]
        self._ask(turn[0], epoch)
        while turn:
            mail = self._answer()
            if mail.kind == "end":
                turn.pop(0)
                if turn:
                    self._ask(turn[0], epoch)
                continue
            self.batches, self.rows = self.batches + 1, self.rows + len(mail.tensors[0])
            turn.append(turn.pop(0))
            if self.ahead:
                self._ask(turn[0], epoch)
            yield mail.tensors
            if not self.ahead:
                self._ask(turn[0], epoch)
        self._reading = False

    def close(self) -> None:
        """Say goodbye, and return when all workers have."""
        if self._reading:
            raise ValueError("close() in the middle of an epoch; read it to its end")
        works = {server: self.comm.irecv(server, GO_TAG) for server in self.servers}
        for server in works:
            self.comm.post(server, "bye", {})
        while self.retry_s is not None and not all(work.is_completed() for work in works.values()):
            if self.comm.poll(self.retry_s) is None:
                for server, work in works.items():
                    if not work.is_completed():
                        self.comm.post(server, "bye", {}, retry=True)
        for work in works.values():
            work.wait()

    def _ask(self, server: int, epoch: int) -> None:
        self._number += 1
        self._asked = server, {"q": self._number, "epoch": epoch}
        self.comm.post(server, "next", self._asked[1])

    def _answer(self) -> Mail:
        server, meta = self._asked
        while True:
            mail = self.comm.poll(self.retry_s)
            if mail is None:
                self.resent += 1
                self.comm.post(server, "next", meta, retry=True)
            elif mail.src == server and mail.meta["q"] == meta["q"]:
                return mail
