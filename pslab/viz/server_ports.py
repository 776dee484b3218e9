"""Which port of a server job is the busiest, as workers and servers are added, and the controls that add them.

    left    bytes through the busiest port, per direction, against K: one server, S servers, as many as workers, ring
    right   the same for the chosen K against S: a server's port falls like K/S, a worker's own port does not fall

The larger of the two ports decides; from S = K on it is the worker's.
"""

from __future__ import annotations

from pslab import cost

from .duel import K_MAX, redrawn
from .picture import Picture, Table, new_figure
from .style import INK, LOOKS, SOFT, bytes_unit, number, points, sized, styled, type_pt


def port_loads(K: int, S: int, *, elements: int = 50_000_000, itemsize: int = 4) -> dict:
    """{'server', 'worker', 'ring': bytes of that port per direction in a dense step, 'binds': 'server' or 'worker'}.

    'worker' binds from S = K on, where adding servers no longer helps (ranges that differ by a number aside).
    """
    for name, value, least in (("K", K, 2), ("S", S, 1)):
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= K_MAX:
            raise ValueError(f"{name}={value!r}; the picture shows {least} to {K_MAX} {'workers' * (name == 'K')}"
                             f"{'servers' * (name == 'S')}")
    step = cost.parameter_server(elements, K, S, itemsize)
    server, worker = (max(port.busiest for port in ports) for ports in (step.servers, step.workers))
    return {"server": server, "worker": worker, "ring": cost.ring_all_reduce(elements, K, itemsize).busiest,
            "binds": "server" if K > S else "worker"}


def server_ports(K: int = 8, S: int = 1, *, elements: int = 50_000_000, itemsize: int = 4) -> Picture:
    """Draw the busiest port of a dense step of `elements` numbers: K workers, S servers on machines of their own."""
    here = port_loads(K, S, elements=elements, itemsize=itemsize)
    unit_bytes, unit = bytes_unit(elements * itemsize * K_MAX)
    title = f"K = {K} workers, S = {S} server{'s' * (S > 1)}: the {here['binds']}'s port is the busiest"
    ks, ss = range(2, K_MAX + 1), range(1, K_MAX + 1)

    def at(k, s):
        return port_loads(k, s, elements=elements, itemsize=itemsize)

    def busiest(k, s):
        return max(at(k, s)["server"], at(k, s)["worker"]) / unit_bytes

    lines = [("1 server", "amber", [busiest(k, 1) for k in ks])] if S > 1 else []
    lines += [(f"{S} server{'s' * (S > 1)}", "server", [busiest(k, S) for k in ks]),
              ("S = K servers", "gather", [busiest(k, k) for k in ks]),
              ("ring", "allreduce", [at(k, 1)["ring"] / unit_bytes for k in ks])]
    payload = elements * itemsize / unit_bytes
    with styled():
        figure, (left, right) = new_figure(height_in=3.5, columns=2, width_ratios=[1, 1])
        for name, look, values in lines:
            left.plot(ks, values, color=LOOKS[look].color, marker=LOOKS[look].marker, markevery=[K - 2], label=name)
        ports = [("a server's port", "server", [at(K, s)["server"] / unit_bytes for s in ss]),
                 ("a worker's port", "gather", [at(K, s)["worker"] / unit_bytes for s in ss])]
        for name, look, values in ports:
            right.plot(ss, values, color=LOOKS[look].color, marker=LOOKS[look].marker, markevery=[S - 1], label=name)
        for axes, place, label in ((left, K, "workers K (count)"), (right, S, "servers S (count)")):
            axes.axvline(place, color=SOFT, linestyle=":", linewidth=points(1.2))
            axes.set_xscale("log", base=2)
            axes.set_yscale("log")
            # the same axes for all K and S, so that a moved slider moves the lines and not the scale
            axes.set_ylim(payload / K_MAX, payload * K_MAX * 2)
            for axis in (axes.xaxis, axes.yaxis):
                axis.set_major_formatter(lambda value, _: number(value))
            axes.set_xlabel(label)
            axes.set_ylabel(f"per direction ({unit})")
        left.set_title("busiest port")
        right.set_title(f"both ports, K = {K}")
        left.legend(loc="lower right", ncols=2, labelcolor=INK, frameon=True, framealpha=1, edgecolor="none")
        right.legend(loc="upper right", labelcolor=INK, frameon=True, framealpha=1, edgecolor="none")
        figure.suptitle(title, x=0.01, ha="left", fontweight="bold", fontsize=type_pt(11))
    rows = [[name, here[key], sized(here[key])] for name, key in (("a server's port", "server"), ("a worker's port",
                                                                  "worker"), ("a port of the ring", "ring"))]
    return Picture(figure, title, Table(["per direction, one dense step", "bytes", "that is"], rows))


def server_ports_widget(**settings):
    """Sliders for K and S over `server_ports`' picture. settings: elements, itemsize."""
    import ipywidgets

    sliders = {name: ipywidgets.IntSlider(value=value, min=least, max=K_MAX, description=f"{what} {name}",
                                          continuous_update=False)
               for name, what, value, least in (("K", "workers", 8, 2), ("S", "servers", 1, 1))}
    return redrawn(lambda **values: server_ports(**values, **settings), sliders)
