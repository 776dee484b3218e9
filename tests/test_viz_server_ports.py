"""The picture of a server job's ports: its numbers are pslab.cost's, its title says which port binds."""

import pytest

from pslab import cost, viz


@pytest.mark.parametrize(("K", "S", "binds"), [(2, 1, "server"), (8, 7, "server"), (8, 8, "worker"), (8, 64, "worker"),
                                               (5, 3, "server")])
def test_the_loads_are_those_of_cost_and_the_larger_one_binds(K, S, binds):
    loads = viz.port_loads(K, S, elements=1_001, itemsize=2)
    step = cost.parameter_server(1_001, K, S, 2)
    assert loads == {"server": max(port.busiest for port in step.servers), "worker": 2_002,
                     "ring": cost.ring_all_reduce(1_001, K, 2).busiest, "binds": binds}
    assert max(loads["server"], loads["worker"]) == step.busiest
    assert (K / S > 1) == (binds == "server")


@pytest.mark.parametrize(("name", "settings"), [("K", {"K": 1}), ("K", {"K": 65}), ("S", {"S": 0}), ("S", {"S": 2.0}),
                                                ("S", {"S": True})])
def test_what_the_picture_does_not_show_is_refused(name, settings):
    with pytest.raises(ValueError, match=f"{name}="):
        viz.port_loads(**{"K": 8, "S": 1, **settings})


def test_the_picture_draws_both_panels_and_its_twin_has_the_bytes():
    picture = viz.server_ports(16, 4, elements=960)
    left, right = picture.figure.axes[:2]
    assert [line.get_label() for line in left.lines[:4]] == ["1 server", "4 servers", "S = K servers", "ring"]
    assert [line.get_label() for line in right.lines[:2]] == ["a server's port", "a worker's port"]
    assert picture.title == "K = 16 workers, S = 4 servers: the server's port is the busiest"
    assert [row[1] for row in picture.table.rows] == [15_360, 3_840, 7_200]
    at_four = dict(zip(right.lines[0].get_xdata(), right.lines[0].get_ydata()))
    assert at_four[4] / right.lines[1].get_ydata()[0] == pytest.approx(4)
    alone = viz.server_ports(16, 1, elements=960).figure.axes[0]
    assert [line.get_label() for line in alone.lines[:3]] == ["1 server", "S = K servers", "ring"]


def test_moving_a_control_draws_anew_with_its_value_and_the_same_axes():
    box = viz.server_ports_widget(elements=960)
    workers, servers = box.children[:2]
    limits = box.picture.figure.axes[0].get_ylim()
    workers.value, servers.value = 32, 32
    assert box.picture.title == "K = 32 workers, S = 32 servers: the worker's port is the busiest"
    assert box.picture.figure.axes[0].get_ylim() == limits
    assert [row[1] for row in box.picture.table.rows] == [3_840, 3_840, cost.ring_all_reduce(960, 32).busiest]
