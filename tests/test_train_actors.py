"""A learner and actors that come and go: who carries which bytes, how old an episode is when it is used."""

from dataclasses import replace
from math import inf

import pytest

from pslab.comm import Link
from pslab.train import Actor, run_actors

FREE = Link(latency_s=0.0, bandwidth_Bps=1e15)          # bytes cost no time: what is left is the pattern itself


def test_one_actor_on_free_links_by_hand():
    """An episode each 0.1 s, an update of one episode takes 0.05 s: each is used at once, made with all updates but
    the one before it."""
    for way in ("server", "broadcast"):
        run = run_actors(way, [Actor(episode_s=0.1)], parameters=10, batch=1, update_s=0.05, horizon_s=0.99, link=FREE)
        assert [round(episode.came_s, 6) for episode in run.episodes] == [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]
        assert [episode.made_with for episode in run.episodes] == [0, 0, 1, 2, 3, 4, 5, 6, 7]
        assert run.lags() == [0, 1, 1, 1, 1, 1, 1, 1, 1]
        assert (run.versions, run.unused_episodes) == (9, 0)


ACTORS = [*(Actor(episode_s=0.1 * (1 + i / 4)) for i in range(4)), Actor(join_s=0.5, leave_s=1.2, episode_s=0.1),
          Actor(join_s=1.0, episode_s=0.2), Actor(join_s=9.0)]
WIDE = {"parameters": 1000, "batch": 2, "update_s": 0.05, "horizon_s": 2.0}


@pytest.mark.parametrize("way", ["server", "broadcast"])
def test_it_is_the_same_every_time_and_every_actor_works_only_while_it_is_there(way):
    run, again = (run_actors(way, ACTORS, **WIDE) for _ in range(2))
    assert run == again
    began = {number: [e.began_s for e in run.episodes if e.actor == number] for number in range(len(ACTORS))}
    assert min(began[4]) >= 0.5
    assert max(began[4]) <= 1.2
    assert min(began[5]) >= 1.0
    assert began[6] == [], "who would come after the end never begins"
    assert run.first_s[6] == inf
    assert all(0 < first_s < 0.1 for first_s in run.first_s[4:6])
    used = [episode for episode in run.episodes if episode.lag is not None]
    assert len(used) == run.versions * WIDE["batch"]
    assert all(e.made_with <= e.met <= e.used_at for e in used)


def test_bytes_of_both_ways():
    size = 4 * WIDE["parameters"]
    server, broadcast = (run_actors(way, ACTORS, **WIDE) for way in ("server", "broadcast"))
    # one push a version and one at the start; a pull for each episode that was begun, and no copy is unused
    pulls = server.parameter_bytes // size - (server.versions + 1)
    assert len(server.episodes) <= pulls <= len(server.episodes) + len(ACTORS)
    assert server.unused_bytes == 0
    assert server.learner_port_bytes < broadcast.learner_port_bytes
    assert server.server_port_bytes >= pulls * size
    assert broadcast.server_port_bytes == 0
    assert broadcast.parameter_bytes % size == 0
    assert 0 < broadcast.unused_bytes < broadcast.parameter_bytes


def test_a_narrow_port_of_the_learner_makes_broadcasts_late_and_servers_not():
    """16 actors, 0.4 MB a copy, 12.5 MB/s: a broadcast takes 0.5 s where an update takes 0.05 s."""
    crowd = [Actor(episode_s=0.5 + i / 50) for i in range(16)]
    job = {"parameters": 100_000, "batch": 8, "update_s": 0.05, "horizon_s": 6.0,
           "link": Link(latency_s=1e-3, bandwidth_Bps=1.25e7)}
    server, broadcast = (run_actors(way, crowd, **job) for way in ("server", "broadcast"))
    assert server.learner_wait_s == 0
    assert broadcast.learner_wait_s > 0.5 * job["horizon_s"]
    assert server.versions > broadcast.versions
    assert broadcast.mean_lag > server.mean_lag
    assert broadcast.unused_episodes > 4 * server.unused_episodes
    wide = {**job, "link": Link(latency_s=1e-3, bandwidth_Bps=1.25e10)}
    assert run_actors("broadcast", crowd, **wide).learner_wait_s == 0, "the link is what it waited for"


def test_more_actors_for_the_same_batch_are_more_lag():
    """What is under way while an update is made is late by it: A actors, batches of b, about A / b."""
    lags = {count: run_actors("server", [Actor(episode_s=0.1)] * count, parameters=10, batch=2, update_s=0.001,
                              horizon_s=3.0, link=FREE).mean_lag for count in (2, 4, 8)}
    assert lags[2] < lags[4] < lags[8]
    assert lags[8] == pytest.approx(8 / 2, rel=0.4)


def test_a_leaving_actor_gets_nothing_any_more():
    stay = [Actor(), Actor(episode_s=0.1)]
    leave = [Actor(), replace(stay[1], leave_s=0.3)]
    job = {"parameters": 100, "batch": 1, "update_s": 0.01, "horizon_s": 3.0}
    more, less = (run_actors("broadcast", actors, **job) for actors in (stay, leave))
    assert less.parameter_bytes < 0.7 * more.parameter_bytes
    assert {e.actor for e in less.episodes if e.began_s > 0.4} == {0}
    # two copies on joining; then two a version while both are there, and one a version afterwards
    copies, both = less.parameter_bytes // 400, sum(e.came_s < 0.6 for e in less.episodes)
    assert less.versions < copies <= 2 + less.versions + both < 2 * less.versions


@pytest.mark.parametrize(("call", "words"), [
    (lambda: run_actors("ring", [Actor()]), "way='ring'; allowed: 'server', 'broadcast'"),
    (lambda: run_actors("server", []), "actors must be one Actor or more"),
    (lambda: run_actors("server", [Actor()], batch=0), "batch=0; a whole number from 1"),
    (lambda: run_actors("server", [Actor()], horizon_s=inf), "horizon_s=inf"),
    (lambda: Actor(join_s=2, leave_s=1), "0 <= join_s <= leave_s"),
    (lambda: Actor(episode_s=0), "episode_s=0; a number of seconds above 0")])
def test_what_cannot_run_is_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()
