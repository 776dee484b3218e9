"""Lab 7: references against what is independent of them, beliefs that differ, judges that name what they see."""

import json
import re
import struct
from collections import OrderedDict
from functools import cache, partial

import numpy as np
import pytest
import torch
from direct_answers import Direct

from pslab import exercises
from pslab.comm import SimWorld
from pslab.exercises import (
    lab7_codes,
    lab7_effect,
    lab7_exact,
    lab7_lookup,
    lab7_lru,
    lab7_programs,
    lab7_quotient,
    lab7_replicate,
)
from pslab.exercises.lab7_common import words, zipf
from pslab.grade import cases
from pslab.grade.judging import verdict_of

LAB = ("7.1", "7.2", "7.3", "7.4", "7.5", "7.6", "7.7")


class Here(Direct):
    """Asked in this process; programs around an answer as well."""

    def run(self, name, world_size, *args, within, per_rank=None, link=None, trace=True, timeout_s=10.0, world="sim"):
        given = {"per_rank": per_rank} if per_rank is not None else {}
        return SimWorld(world_size, link=link, trace=trace).run(partial(within, self.functions[name]), *args, **given)


def told(exercise, criterion, functions):
    found = next(c for c in exercises.get(exercise).criteria if c.name == criterion)
    public, hidden = cases(exercise, "anna", "s")
    return verdict_of(found, exercises.get(exercise), Here(functions), hidden if found.hidden else public, strict=True)


def rng_of(seed):
    return np.random.default_rng(seed)


# ---- the lab as a whole ---------------------------------------------------------------------------------------------


def test_minutes_points_difficulty_and_core_are_those_of_the_course_s_table():
    lab = exercises.lab("7")
    assert tuple(e.id for e in lab) == LAB
    assert [e.points for e in lab] == [15, 30, 30, 20, 35, 20, 25]
    assert max(e.difficulty for e in lab) == 4
    assert [e.id for e in lab if e.core] == ["7.1", "7.2", "7.5"]
    assert sum(e.minutes for e in lab if e.core) < 120
    assert sum(e.minutes for e in lab) < 240
    assert [e.chapter_number for e in lab if e.chapter_number] == ["11.7.1", "11.7.2", "11.7.3"]


def test_every_exercise_has_a_hidden_check_three_hints_and_bars_the_rooms_that_would_be_the_answer():
    for e in exercises.lab("7"):
        assert e.hidden == 1
        assert len(e.hints) == 3
        assert {"pslab.embedding", "pslab.cost", "pslab.ps"} <= set(e.forbidden)


def test_no_sentence_has_two_meanings():
    ids = [m.id for e in exercises.lab("7") for m in e.misconceptions]
    assert len(set(ids)) == len(ids)


# ---- 7.1 and 7.6 ----------------------------------------------------------------------------------------------------


def test_the_chapter_s_figures():
    table, comm, link = lab7_effect.budgets({**lab7_effect.CHAPTER, "hit_rate": 0.0})
    assert table == 1.024e12
    assert comm == pytest.approx(1258.3e6, rel=1e-4)                # (S - 1)/S of 1342.2 MB
    assert link == comm / 16
    changes = (("stored", "int4"), ("requester cache", 0.95), ("hosts", 32), ("hashing", 10**7), ("owner cache", 0.99))
    words_of = [lab7_effect.relieves(change, lab7_effect.CHAPTER) for change in changes]
    assert words_of == ["table", "wire", "neither", "table", "neither"]
    assert lab7_effect.effect(("quotient-remainder", 44_722), lab7_effect.CHAPTER) == (89_443 / 2e9, 2.0, 2.0)


@pytest.mark.parametrize(("module", "right", "asked"), [
    (lab7_effect, lab7_effect.effect, lambda rng: lab7_effect.more(rng) + lab7_effect.more(rng)),
    (lab7_replicate, lab7_replicate.replicate_wins, lab7_replicate.forty)])
def test_every_belief_is_another_answer(module, right, asked):
    listed = asked(rng_of(0))
    made = {name: str([belief(*question) for question in listed]) for name, belief in module.BELIEFS.items()}
    made["right"] = str([right(*question) for question in listed])
    assert len(set(made.values())) == len(made)


def test_hidden_changes_are_twenty_four_and_of_every_kind():
    listed = lab7_effect.more(rng_of(3))
    assert len(listed) == 24
    assert {change[0] for change, _ in listed} == set(lab7_effect.CHANGES)


@pytest.mark.parametrize("seed", range(5))
def test_a_row_or_a_byte_more_turns_the_verdict(seed):
    (less,), (more,) = lab7_replicate.at_the_edge_of_bytes(rng_of(seed))
    assert more["rows"] == less["rows"] + 1
    assert [lab7_replicate.replicate_wins(spec)[0] for spec in (less, more)] == [True, False]
    (fits,), (full,), (far,) = lab7_replicate.at_the_edge_of_memory(rng_of(seed))
    assert fits["memory_bytes"] == full["memory_bytes"] + 1
    assert [lab7_replicate.replicate_wins(spec)[0] for spec in (fits, full, far)] == [True, False, False]
    won, sharded, replicated = lab7_replicate.replicate_wins(*lab7_replicate.equal_bytes(rng_of(seed)))
    assert (won, sharded) == (False, replicated)
    assert len(lab7_replicate.forty(rng_of(seed))) == 40


# ---- 7.2 ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(4))
def test_distances_say_what_a_queue_says(seed):
    for capacity, ids in lab7_lru.short_streams(rng_of(seed)).values():
        queue, hits, orders = OrderedDict(), [], []
        for i in ids.tolist():
            hits.append(i in queue)
            queue[i] = True
            queue.move_to_end(i)
            if len(queue) > capacity:
                queue.popitem(last=False)
            orders.append(list(queue))
        assert lab7_lru.by_distance(ids.tolist(), capacity) == (hits, orders)


@pytest.mark.parametrize("seed", range(6))
def test_the_oracle_has_the_most_hits_that_any_choice_of_victims_gives(seed):
    rng = rng_of(seed)
    ids, capacity = tuple(rng.integers(0, 6, 16).tolist()), int(rng.integers(1, 4))

    @cache
    def best(at, held):
        if at == len(ids):
            return 0
        if ids[at] in held:
            return 1 + best(at + 1, held)
        if len(held) < capacity:
            return best(at + 1, held | {ids[at]})
        return max(best(at + 1, held - {gone} | {ids[at]}) for gone in held)

    assert lab7_lru.belady_hits(np.array(ids), capacity) == best(0, frozenset())


def test_a_loop_has_no_hits_and_streams_tell_every_cache_apart():
    loop = np.tile(np.arange(20), 30)
    assert lab7_lru.split_misses(loop, 19) == (20, 580)
    assert lab7_lru.belady_hits(loop, 19) > 500
    made = {slip: str([lab7_lru.believed(slip, ids.tolist(), capacity)
                       for capacity, ids in lab7_lru.short_streams(rng_of(0)).values()]) for slip in lab7_lru.SLIPS}
    made["right"] = str([lab7_lru.by_distance(ids.tolist(), capacity)[0]
                         for capacity, ids in lab7_lru.short_streams(rng_of(0)).values()])
    made.pop("7/one-row-less")                                      # has the hits of eviction-before-use, not the order
    assert len(set(made.values())) == len(made)
    for beliefs, right in ((lab7_lru.SPLITS, lab7_lru.split_misses), (lab7_lru.ORACLES, lab7_lru.belady_hits)):
        asked = lab7_lru._streams(rng_of(0))
        answers = [str([rule(*question) for question in asked]) for rule in (*beliefs.values(), right)]
        assert len(set(answers)) == len(answers)


def test_words_are_a_text_s_and_go_round():
    assert len(words(63_000, 4_000)) == 4_000
    assert len(np.unique(words(0, 4_000))) > 300
    assert (words(10, 50)[5:] == words(15, 45)).all()


# ---- 7.3 ------------------------------------------------------------------------------------------------------------


def packed_by_hand(rows, bits):
    """Rows packed number by number."""


    out = []
    for row in rows.tolist():
        least, steps = min(row), lab7_codes.LEVELS[bits]
        kind = "<ee" if bits == 4 else "<ff"
        scale, least = struct.unpack(kind, struct.pack(kind, (max(row) - least) / steps or 1.0, least))
        codes = [min(steps, max(0, round((x - least) / scale))) for x in row]
        pairs = bytes(codes) if bits == 8 else bytes(a | b << 4 for a, b in zip(codes[::2], codes[1::2]))
        out.append(np.frombuffer(pairs + struct.pack(kind, scale, least), np.uint8))
    return np.array(out)


@pytest.mark.parametrize("bits", [8, 4])
def test_a_row_packed_by_hand_is_within_the_bound_and_the_bound_is_tight(bits):
    worst = 0.0
    for rows in lab7_codes.tables(rng_of(1)).values():
        packed = packed_by_hand(rows, bits)
        assert packed.shape == (len(rows), lab7_codes.width(bits, rows.shape[1]))
        share = np.abs(lab7_codes.decoded(packed, bits, rows.shape[1]) - rows) / lab7_codes.bound(rows, bits)
        worst = max(worst, share.max())
    assert 0.8 < worst <= 1
    assert packed_by_hand(np.array([[0.0, 1, 2, 15]]), 4).tolist() == [[16, 242, 0, 60, 0, 0]]


@pytest.mark.parametrize("way", [np.floor, np.rint, lambda x: np.floor(x) + 2])
def test_what_does_not_round_by_chance_is_refused_and_what_does_passes(way):
    assert not told("7.3", "rounding by chance", {"stochastic_round": lambda x, rng: way(x)}).passed
    fair = {"stochastic_round": lambda x, rng: np.floor(x + rng.random(x.shape))}
    assert told("7.3", "rounding by chance", fair).passed


# ---- 7.4 ------------------------------------------------------------------------------------------------------------


def test_gradients_of_two_tables_are_autograd_s():
    for R, m, D in lab7_quotient.tables(rng_of(0)):
        rng = rng_of(1)
        a, b = (lab7_quotient.rows_of(rng, n, D) for n in lab7_quotient.qr_shapes(R, m))
        ids, grad = rng.integers(0, R, 40), lab7_quotient.rows_of(rng, 40, D)
        ta, tb = (torch.tensor(table, requires_grad=True) for table in (a, b))
        rows = ta[torch.tensor(ids) % m] * tb[torch.tensor(ids) // m]
        assert (rows.detach().numpy() == lab7_quotient.qr_lookup(ids, a, b)).all()
        rows.backward(torch.tensor(grad))
        for ours, theirs in zip(lab7_quotient.qr_backward(ids, grad, a, b), (ta.grad, tb.grad)):
            assert (ours == theirs.numpy()).all()


# ---- 7.5 ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_sums_are_those_of_one_table_and_every_slip_is_another_sum(seed):
    for trial in lab7_lookup.trials(rng_of(seed)):
        for batch in range(len(trial.batches[0])):
            whole = np.zeros((trial.R, trial.D), np.float32)
            for rank in range(trial.K):
                np.add.at(whole, trial.batches[rank][batch], trial.grads[rank][batch])
            for owner in range(trial.K):
                assert (lab7_lookup.gradients(trial, owner, batch) == whole[owner::trial.K]).all()
    made = {how: str([lab7_lookup.gradients(trial, owner, batch, how).tolist()
                      for trial in lab7_lookup.trials(rng_of(seed))
                      for batch in range(len(trial.batches[0])) for owner in range(trial.K)])
            for how in ("", *lab7_lookup.SLIPS)}
    assert len(set(made.values())) == len(made)


def test_the_first_trial_keeps_every_pair_of_ranks_busy():
    for seed in range(5):
        first, second, *_ = lab7_lookup.trials(rng_of(seed))
        assert all(first.unique(r, q, 0) for r in range(3) for q in range(3))
        assert any(len(ids) == 0 for own in second.batches for ids in own)


# ---- 7.7 ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_what_was_told_before_is_what_travels(seed):
    rows = rng_of(seed).normal(size=(4_000, 3)).astype(np.float32)
    for _, _, batches in lab7_exact.some(rng_of(seed)):
        run = lab7_exact.trained(lab7_exact.Cache, None, rows, batches)
        saved, reads = lab7_exact.rows_saved(batches)
        assert sum(len(own) for round_ in run["sent"] for own in round_) == reads - saved
        plain = lab7_exact.uncached(rows, batches)
        assert all((a == b).all() for a, b in zip(run["seen"], plain["seen"]))
        assert (run["rows"] == plain["rows"]).all()
        made = {str(lab7_exact.rows_saved(batches, way)) for way in lab7_exact.WAYS[:2]} | {str((saved, reads))}
        assert len(made) >= 2


def test_in_the_chapter_s_model_a_cache_saves_nothing_and_one_worker_saves_every_row_seen():
    saved, reads = lab7_exact.rows_saved(lab7_exact.chapter(rng_of(0)))
    assert (saved, reads) == (0, 4 * 16 * 17)
    alone = lab7_exact.cut(zipf(rng_of(0), 30, 54), 1, 9)
    saved, reads = lab7_exact.rows_saved(alone)
    assert saved == reads - len(np.unique(np.concatenate([ids for ids_of in alone for ids in ids_of])))


# ---- the notebook ---------------------------------------------------------------------------------------------------


def cells(repo_root, folder):
    stored = json.loads((repo_root / folder / "lab_07_terabyte.ipynb").read_text(encoding="utf-8"))
    return [cell for cell in stored["cells"] if cell["cell_type"] == "code"]


def test_the_notebook_s_server_is_the_grader_s(repo_root):
    names = {"np": np}
    exec(next(text for cell in cells(repo_root, "solutions") if (text := "".join(cell["source"])).startswith(
        "class Server:")), names)
    batches = lab7_exact.some(rng_of(0))[0][2]
    rows = rng_of(1).normal(size=(60, 3)).astype(np.float32)
    server = names["Server"](rows.copy())
    caches = [lab7_exact.Cache(server) for _ in range(2)]
    for t, ids_of in enumerate(batches):
        for own, ids in zip(caches, ids_of):
            own.read(ids)
        for k, (own, ids) in enumerate(zip(caches, ids_of)):
            own.push(np.unique(ids), lab7_programs.gradient(np.unique(ids), 3, t, k))
        server.end_round()
    run = lab7_exact.trained(lab7_exact.Cache, None, rows, batches)
    assert (server.rows == run["rows"]).all()
    assert server.sent == sum(len(own) for round_ in run["sent"] for own in round_)


def test_what_a_prediction_is_about_is_not_shown_in_the_students_copy(repo_root):
    shown = [cell for cell in cells(repo_root, "labs")
             if re.search(r"^_ = reveal\(", "".join(cell["source"]), re.MULTILINE)]
    assert len(shown) == 2
    assert not any(cell["outputs"] for cell in shown)


def test_an_untouched_lab_says_not_yet(repo_root):
    checks = [cell for cell in cells(repo_root, "labs") if "check" in cell["metadata"].get("pslab", {})]
    said = ["".join(line for out in cell["outputs"] for line in out.get("text", "")).strip() for cell in checks]
    assert said == [f"{exercise}: not yet" for exercise in LAB]
