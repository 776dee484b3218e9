"""One learner and actors that come and go: fresh parameters pulled from a server, or broadcast by the learner.

    server      learner ──push version v──▶ server ◀──pull──▶ actor      an actor fetches when it begins an episode
    broadcast   learner ──version v──▶ every actor that is there         an actor begins with the newest that has come

    actor       ─ parameters ─ episode ─ experience (made with version u) ─▶ learner
    learner     ─ waits for `batch` episodes ─ updates: v ─▶ v + 1 ─         lag of an episode: v − u when it is used

Virtual time in the simulator, the same every time. A broadcast occupies the learner's own port once for every actor
that is there, whether it begins an episode or not; a pull occupies the server's port once for every episode. A learner
does not begin to send a version before the last one has left its port. Gorila (Nair et al. 2015, "Massively parallel
methods for deep reinforcement learning") keeps the parameters of such a job on servers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

import numpy as np
import torch

from pslab.comm import Comm, Link, SimWorld

WAYS = ("server", "broadcast")
LEARNER, SERVER = 0, 1          # ranks; with a broadcast nobody stands at rank 1, and nothing reaches it
FIRST_ACTOR = 2


@dataclass(frozen=True)
class Actor:
    """When it comes, when it leaves (it finishes the episode it is in), and how long an episode takes it."""

    join_s: float = 0.0
    leave_s: float = inf
    episode_s: float = 0.1

    def __post_init__(self):
        if not (0 <= self.join_s < inf and self.leave_s >= self.join_s):
            raise ValueError(f"join_s={self.join_s!r}, leave_s={self.leave_s!r}; 0 <= join_s <= leave_s is needed")
        if not 0 < self.episode_s < inf:
            raise ValueError(f"episode_s={self.episode_s!r}; a number of seconds above 0 is needed")


@dataclass(frozen=True)
class Episode:
    """actor; version it was made with; version that the learner had when it came, and when it was used (None: never);
    when it began and when it came."""

    actor: int
    made_with: int
    met: int
    used_at: int | None
    began_s: float
    came_s: float

    @property
    def lag(self) -> int | None:
        """In versions, when it is used: how many updates it is too old for. None where it is not used any more."""
        return None if self.used_at is None else self.used_at - self.made_with


@dataclass(frozen=True)
class ActorsRun:
    """How one way ran. versions: that the learner made. parameter_bytes: that travelled; unused_bytes: of those, copies
    with which no episode was begun. first_s: for each actor, seconds from joining to the start of its first episode
    (inf: none). learner_wait_s: that the learner waited for its own port."""

    way: str
    episodes: tuple[Episode, ...]
    versions: int
    parameter_bytes: int
    unused_bytes: int
    learner_port_bytes: int
    server_port_bytes: int
    first_s: tuple[float, ...]
    learner_wait_s: float
    seconds: float

    def lags(self, actor: int | None = None) -> list[int]:
        """Of the episodes used, of one actor or of all, in the order in which they came."""
        return [episode.lag for episode in self.episodes if episode.lag is not None and actor in (None, episode.actor)]

    @property
    def mean_lag(self) -> float:
        """NaN where no episode was used."""
        return float(np.mean(self.lags())) if self.lags() else float("nan")

    @property
    def unused_episodes(self) -> int:
        """That came and still lay with the learner at the end."""
        return sum(episode.lag is None for episode in self.episodes)


def run_actors(way: str, actors: Sequence[Actor], *, parameters: int = 1_000_000, batch: int = 4,
               update_s: float = 0.05, horizon_s: float = 5.0, link: Link | None = None) -> ActorsRun:
    """Learn for `horizon_s` virtual seconds. parameters: P float32. batch: episodes an update uses. link: of every
    port; by default 1 ms and 125 MB/s.

    The learner gives parameters to nobody it does not know of: an actor tells it when it comes and when it leaves.
    """
    if way not in WAYS:
        raise ValueError(f"way={way!r}; allowed: {', '.join(map(repr, WAYS))}")
    if not actors or not all(isinstance(actor, Actor) for actor in actors):
        raise ValueError("actors must be one Actor or more")
    for argument, value in (("parameters", parameters), ("batch", batch)):
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ValueError(f"{argument}={value!r}; a whole number from 1 is needed")
    for argument, value in (("update_s", update_s), ("horizon_s", horizon_s)):
        if not 0 < value < inf:
            raise ValueError(f"{argument}={value!r}; a number of seconds above 0 is needed")
    link = link or Link(latency_s=1e-3, bandwidth_Bps=1.25e8)
    rules = {"way": way, "P": parameters, "batch": batch, "update_s": update_s, "horizon_s": horizon_s,
             "port_s": link.port_s(4 * parameters), "actors": tuple(actors)}
    run = SimWorld(FIRST_ACTOR + len(actors), link=link, trace=False).run(_program, rules, timeout_s=120.0)
    learner, told = run.results[LEARNER], run.results[FIRST_ACTOR:]
    copies = sum(out["copies"] for out in run.results[:FIRST_ACTOR])
    used = sum(result["used"] for result in told)
    size, ledger = 4 * parameters, run.ledger
    assert copies * size == sum(ledger.link(src, dst, "vals") for src in (LEARNER, SERVER)
                                for dst in range(ledger.world_size)), "every copy is in the ledger"
    to_server = learner["copies"] if way == "server" else 0
    return ActorsRun(way, tuple(Episode(*episode) for episode in learner["episodes"]), learner["versions"],
                     copies * size, (copies - to_server - used) * size, max(ledger.port(LEARNER)),
                     max(ledger.port(SERVER)), tuple(result["first_s"] for result in told), learner["wait_s"],
                     run.seconds)


# ---- the ranks --------------------------------------------------------------------------------------------------


def _program(comm: Comm, rules: dict) -> dict:
    if comm.rank == LEARNER:
        return _learner(comm, rules)
    if comm.rank == SERVER:
        return _server(comm, rules) if rules["way"] == "server" else {"copies": 0}
    return _actor(comm, rules, rules["actors"][comm.rank - FIRST_ACTOR], comm.rank - FIRST_ACTOR)


def _learner(comm: Comm, rules: dict) -> dict:
    """Collects `batch` episodes, updates, sends the new version; after the horizon it tells everybody to stop."""
    present, gone, waiting, episodes = [], 0, 0, []
    version, copies, wait_s, port_free_s = 0, 0, 0.0, 0.0
    weights = torch.zeros(rules["P"])

    def send(targets) -> None:
        nonlocal copies, wait_s, port_free_s
        for target in targets:
            comm.post(target, "version", {"v": version}, [weights])
            copies += 1
            port_free_s = max(port_free_s, comm.now()) + rules["port_s"]

    def hear(mail) -> None:
        nonlocal gone, waiting
        if mail.kind == "join":
            present.append(mail.src)
            if rules["way"] == "broadcast":
                send([mail.src])            # it has nothing to begin with
        elif mail.kind == "leave":
            gone += 1
            if mail.src in present:         # one that would have come after the end says goodbye too
                present.remove(mail.src)
        else:
            waiting += 1
            episodes.append([mail.src - FIRST_ACTOR, mail.meta["v"], version, None, mail.meta["began"], comm.now()])

    if rules["way"] == "server":
        send([SERVER])
    while comm.now() < rules["horizon_s"]:
        while waiting < rules["batch"] and comm.now() < rules["horizon_s"]:
            mail = comm.poll(max(0.0, rules["horizon_s"] - comm.now()))
            if mail is not None:
                hear(mail)
        if waiting < rules["batch"]:
            break
        for episode in episodes[len(episodes) - waiting:][:rules["batch"]]:        # first come, first used
            episode[3] = version
        waiting -= rules["batch"]
        comm.compute(rules["update_s"])
        version += 1
        if port_free_s > comm.now():
            wait_s += port_free_s - comm.now()
            comm.sleep(port_free_s - comm.now())
        while (mail := comm.poll(0)) is not None:          # who came or left while it computed
            hear(mail)
        send([SERVER] if rules["way"] == "server" else list(present))
    for rank in range(FIRST_ACTOR, comm.world_size):
        comm.post(rank, "stop", {})
    if rules["way"] == "server":
        comm.post(SERVER, "stop", {})
    while gone < len(rules["actors"]):
        mail = comm.poll()
        gone += mail.kind == "leave"
    return {"episodes": episodes, "versions": version, "copies": copies, "wait_s": wait_s}


def _server(comm: Comm, rules: dict) -> dict:
    """Holds the newest version; gives it to whoever asks. A pull before the first push waits for it."""
    newest, copies, asking = None, 0, []
    while True:
        mail = comm.poll()
        if mail.kind == "stop":
            return {"copies": copies}
        if mail.kind == "version":
            newest = mail
        else:
            asking.append(mail.src)
        while newest is not None and asking:
            comm.post(asking.pop(0), "version", newest.meta, newest.tensors)
            copies += 1


def _actor(comm: Comm, rules: dict, actor: Actor, number: int) -> dict:
    """Episodes from joining to leaving, or until the learner stops."""
    newest, used, first_s, stopped, serving = None, 0, inf, False, rules["way"] == "server"

    def take(timeout_s) -> bool:
        nonlocal newest, stopped
        mail = comm.poll(timeout_s)
        if mail is not None and mail.kind == "stop":
            stopped = True
        elif mail is not None:
            newest = mail.meta["v"]
        return mail is not None

    joins = min(actor.join_s, rules["horizon_s"])
    comm.sleep(joins)
    if actor.join_s < rules["horizon_s"]:
        comm.post(LEARNER, "join")
    began_with = None
    while not stopped and comm.now() < min(actor.leave_s, rules["horizon_s"]) and actor.join_s < rules["horizon_s"]:
        if serving:
            newest = None
            comm.post(SERVER, "pull")
        while not stopped and newest is None:
            take(None)
        while take(0):                                       # the newest that has come
            pass
        if stopped:
            break
        used += serving or newest != began_with
        began_with, began_s = newest, comm.now()
        first_s = min(first_s, began_s - actor.join_s)
        comm.compute(actor.episode_s)
        comm.post(LEARNER, "episode", {"v": newest, "began": began_s})
    comm.post(LEARNER, "leave")
    while not stopped and not serving:                       # copies still under way to it
        take(None)
    return {"used": used, "first_s": first_s, "number": number}
