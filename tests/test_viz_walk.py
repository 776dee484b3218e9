"""The picture of a ring all-reduce: what is drawn is what a run of one sent."""

import pytest
from matplotlib.patches import FancyArrowPatch, Rectangle

from pslab import viz
from pslab.viz.walk import moves_of_ring, states_of


@pytest.mark.parametrize("K", [2, 3, 4])
def test_every_step_moves_one_chunk_from_each_rank_to_the_right_and_the_end_is_complete(K):
    moves = moves_of_ring(K)
    assert len(moves) == 2 * (K - 1) * K
    assert all(move.dst == (move.src + 1) % K for move in moves)
    for step in range(1, 2 * K - 1):
        now = [move for move in moves if move.step == step]
        assert sorted(move.src for move in now) == list(range(K))
        assert {len(move.parts) for move in now} == {min(step, K)}
        assert sorted(move.piece for move in now) == list(range(K))
    states = states_of(moves, K)
    assert len(states) == 2 * K - 1
    assert all(len(parts) == K for rank in states[-1] for parts in rank)
    for rank, pieces in enumerate(states[K - 1]):                # after the first half: one complete chunk each
        assert [piece for piece in range(K) if len(pieces[piece]) == K] == [rank]


def test_the_picture_has_a_box_for_every_chunk_a_line_for_every_message_and_a_twin():
    picture = viz.ring_walk(3)
    axes = picture.figure.axes[0]
    assert sum(isinstance(patch, Rectangle) for patch in axes.patches) == 5 * 3 * 3
    assert sum(isinstance(patch, FancyArrowPatch) for patch in axes.patches) == 4 * 3
    words = [label.get_text() for label in axes.get_xticklabels()]
    assert words == ["start", "step 1: add", "step 2: add", "step 3: copy", "step 4: copy"]
    rows = picture.table.rows
    assert rows[0] == ["start", "rank 0", "a0", "b0", "c0"]
    assert rows[3] == ["step 1", "rank 0", "a0", "b02", "c0"]
    assert rows[-1] == ["step 4", "rank 2", "a012", "b012", "c012"]


@pytest.mark.parametrize("K", [1, 5, 2.0])
def test_a_number_of_ranks_that_cannot_be_drawn_is_refused(K):
    with pytest.raises(ValueError, match="2 to 4 ranks can be drawn"):
        viz.ring_walk(K)
