"""What the demo says follows from its figures, whichever they are; and the model's lines are the closed forms."""

from dataclasses import replace

import pytest

from pslab.cost import strategy_port_bytes
from pslab.demo import modelled, words
from pslab.demo.options import Options
from pslab.demo.picture import draw
from pslab.demo.train import Measured, Size

SIZE = Size(dense_parameters=1000, table_rows=5000, dim=16, rows_per_worker=200.0)
BASE = Measured("hybrid", 1000.0, 1.0, "worker 0 out", 4000.0, 6000.0, 100.0, [0.7, 0.6], 0.55, 0.78)


def three(**changes):
    """Hybrid, allreduce, server with equal figures, changed by strategy."""
    return [replace(BASE, strategy=name, **changes.get(name, {})) for name in ("hybrid", "allreduce", "server")]


@pytest.mark.parametrize(("changes", "said"), [
    ({"allreduce": {"sparse_bytes": 46000.0}}, "5.0 times fewer bytes a step than allreduce (a worker touches 200 of "
                                               "5,000 rows a step) and about as many bytes a step as server;"),
    ({"hybrid": {"sparse_bytes": 16000.0}}, "2.0 times more bytes a step than allreduce"),
    ({"allreduce": {"sparse_bytes": 0.0, "dense_bytes": 0.0}}, "10 kB a step where allreduce sends nothing"),
    ({}, "all reach the same test AUC to four digits"),
    ({"server": {"test_auc": 0.75}}, "test AUCs within 0.0300"),
    ({"hybrid": {"samples_per_s": 1500.0}}, "hybrid is fastest, 1.50 times allreduce, in this one run."),
    ({"server": {"samples_per_s": 3000.0}}, "server is fastest, 3.00 times hybrid, in this one run."),
    ({"server": {"samples_per_s": 3000.0, "sparse_bytes": 9000.0}},
     "server is fastest, 3.00 times hybrid, so bytes do not decide the time here"),
    ({"server": {"samples_per_s": 1020.0}}, "hybrid is about as fast as server"),
])
def test_the_sentence_follows_the_figures(changes, said):
    text = words.sentence(three(**changes), SIZE)
    assert said in text
    assert text.count(". ") == 0        # one sentence
    assert text.endswith(".")


def test_virtual_time_is_named():
    assert words.sentence(three(), SIZE, virtual=True).endswith(", in virtual time, which counts messages only.")


def test_no_speed_is_said_where_none_was_measured():
    assert "fast" not in words.sentence(three(allreduce={"samples_per_s": None}), SIZE)


def test_one_strategy_alone():
    assert words.sentence([BASE], SIZE) == ("With hybrid the busiest port carries 10 kB a step in its busier "
                                            "direction, 60% of it for rows of tables.")


def test_beside():
    both = [BASE, replace(BASE, test_auc=0.79, losses=[0.7, 0.6004])]
    alone = replace(BASE, samples_per_s=800.0, losses=[0.7001, 0.6])
    auc, single = words.beside(both, ("item", 0.7), alone).split("\n")
    assert auc == "beside: item, test AUC 0.7000; trained minus that: +0.0800 to +0.0900"
    assert single == ("beside: one process alone on the same batches: 800 samples/s, hybrid 1.25 times that; losses "
                      "differ from its by at most 4.0e-04")
    auc, single = words.beside([BASE], ("item", 0.8), replace(alone, samples_per_s=None)).split("\n")
    assert auc.endswith("trained minus that: -0.0200")
    assert "samples/s" not in single
    long = replace(BASE, losses=[0.5] * 49 + [0.501] + [0.52] * 10)
    text = words.beside([long], ("item", 0.8), replace(BASE, losses=[0.5] * 60))
    assert text.endswith("by at most 1.0e-03 in the first 50 steps, 2.0e-02 in all 60")


@pytest.mark.parametrize("servers", [1, 2, 5])
def test_lines_are_the_closed_forms(servers):
    ways = {line.label: line for line in modelled.lines(SIZE, servers)}
    assert list(ways) == ["allreduce", f"server, S = {servers}", f"hybrid, S = {servers}", "server, S = K",
                          "hybrid, S = K"]
    for line in ways.values():
        for K, given in zip(modelled.WORKERS, line.bytes, strict=True):
            S = line.servers or K
            assert given == strategy_port_bytes(line.strategy, K, S, 4000, 5000, 64, 200).busiest
    table = str(words.model_table(list(ways.values())))
    assert f"{ways['allreduce'].bytes[-1] / 1000:.4g}" in table


@pytest.mark.parametrize(("servers", "expected"), [(1, 2), (2, 3), (3, 5), (100, None)])
def test_where_ring_and_servers_part(servers, expected):
    """K/S > 2(K-1)/K, and for few workers a server's worker port carries no less than the ring's."""
    assert modelled.part_from(SIZE, servers) == expected


def test_what_is_said_of_the_model():
    text = words.model_words(SIZE, Options(servers=2, picture="x.png"))
    assert "carry equal dense bytes per direction (4,000 and 4,000)" in text
    assert "With 2 servers they part from K = 3 on: there ring and busiest server carry 5.336 kB and 6 kB" in text
    few = replace(SIZE, table_rows=1000)
    K = modelled.overtaken_from(few, 2)
    text = words.model_words(few, Options(servers=2, picture="x.png"))
    assert f"From K = {K} on hybrid with 2 servers sends more than allreduce" in text
    for k, sign in ((K - 1, False), (K, True)):
        hybrid, ring = (strategy_port_bytes(name, k, 2, 4000, 1000, 64, 200).busiest
                        for name in ("hybrid", "allreduce"))
        assert (hybrid > ring) == sign
    assert "Modelled too, not run: with 10,000,000 rows" in text
    assert "allreduce would send 640 MB a step" in text
    assert "stays below allreduce up to K = 64" in words.model_words(SIZE, Options(servers=2))
    assert "do not part up to K = 64" in words.model_words(SIZE, Options(servers=100, world="sim"))
    assert "part" not in words.model_words(SIZE, Options(servers=0, strategy="allreduce"))


def test_results_hold_every_figure():
    table = words.results(three(allreduce={"samples_per_s": None}), Options())
    assert table.rows[0] == ["hybrid", 1000, 4.0, 6.0, "worker 0 out", "0.5500", "0.7800"]
    assert table.rows[1][1] == "-"
    assert "virtual" in table.note or "seconds on this machine" in table.note


def test_the_picture_shows_what_it_is_given():
    measured = three(allreduce={"sparse_bytes": 46000.0})
    table = words.results(measured, Options())
    picture = draw(measured, modelled.lines(SIZE, 2), table, "small print")
    left, right = picture.figure.axes
    widths = sorted(patch.get_width() for patch in left.patches)
    assert widths == pytest.approx([4, 4, 4, 6, 6, 46])
    assert [text.get_text().split("\n")[0] for text in left.get_yticklabels()] == ["hybrid", "allreduce", "server"]
    assert "kB" in left.get_xlabel()
    assert [line.get_label() for line in right.lines] == [line.label for line in modelled.lines(SIZE, 2)]
    assert {line.get_linestyle() for line in right.lines} == {"-", "--"}
    assert picture.table is table
    assert picture.png().startswith(b"\x89PNG")
