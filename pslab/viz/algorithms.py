"""The same all-reduce by every algorithm: modelled seconds against the size of the message, and which is fastest where.

    left    seconds of each algorithm for messages of 256 bytes to 1 GB; a star on the fastest at the chosen size
    right   the seconds at that size

K ranks in G equal racks, each rack behind an uplink that its ranks share; everything from `pslab.cost`. α is split: in
the overhead a port is busy, in the latency it is not, which only a chunked ring makes use of.
"""

from __future__ import annotations

from pslab import cost

from .duel import redrawn
from .picture import Picture, Table, new_figure
from .style import INK, LOOKS, SOFT, number, points, seconds_unit, sized, styled, type_pt

SIZES = tuple(1 << bit for bit in range(8, 31))           # bytes
CHUNKS = 4                                                # of the chunked ring
SHOWN = {                                                 # algorithm -> (name for people, look)
    "ring": ("ring", "allreduce"),
    "chunked_ring": ("chunked ring", "sky"),
    "binomial": ("tree", "amber"),
    "recursive_doubling": ("recursive doubling", "gather"),
    "halving_doubling": ("halving–doubling", "hybrid"),
    "hierarchical": ("hierarchical", "server"),
}


def algorithm_seconds(message_bytes: int, K: int, racks: int = 1, *, alpha_s: float, latency_share: float = 0.5,
                      bandwidth_Bps: float, uplink: float = 1.0, order: str = "rack by rack") -> dict[str, float]:
    """{algorithm: modelled seconds} of an all-reduce of float32 numbers; one per entry of SHOWN.

    `cost.all_reduce_on_racks_s` with the overhead as α, and the latency once a round on top; of the chunked ring,
    (2(K−1) − 1)·max(m·s, s + L) + m·s + L as in `cost.chunked_ring_s`, s being the time that a chunk takes on its
    slowest port. K and racks: powers of two. uplink: bandwidth of a rack's uplink over that of a rank's port.
    """
    g = _check(K, racks, alpha_s, latency_share, bandwidth_Bps, uplink)
    if message_bytes < 4:
        raise ValueError(f"message_bytes={message_bytes}; at least one number of 4 bytes is needed")
    elements, latency_s = int(message_bytes) // 4, alpha_s * latency_share
    overhead_s, rounds = alpha_s - latency_s, K.bit_length() - 1
    settings = {"alpha_s": overhead_s, "bandwidth_Bps": bandwidth_Bps, "uplink_alpha_s": overhead_s,
                "uplink_bandwidth_Bps": uplink * bandwidth_Bps, "order": order, "chunks": CHUNKS}
    busy_s = {name: cost.all_reduce_on_racks_s(name, elements, racks, g, **settings) for name in SHOWN}
    trips = {"ring": 2 * (K - 1), "binomial": 2 * rounds, "recursive_doubling": rounds, "halving_doubling": 2 * rounds,
             "hierarchical": 2 * (g.bit_length() - 1) + 2 * (racks - 1)}
    seconds = {name: busy_s[name] + trips.get(name, 0) * latency_s for name in SHOWN}
    chunk_s = busy_s["chunked_ring"] / (2 * (K - 1) * CHUNKS)
    seconds["chunked_ring"] = ((2 * (K - 1) - 1) * max(CHUNKS * chunk_s, chunk_s + latency_s)
                               + CHUNKS * chunk_s + latency_s)
    return seconds


def algorithms(message_bytes: int = 1 << 20, K: int = 16, racks: int = 1, *, alpha_s: float = 20e-6,
               latency_share: float = 0.5, bandwidth_Bps: float = 12.5e9, uplink: float = 1.0,
               order: str = "rack by rack") -> Picture:
    """Draw `algorithm_seconds` over the size of the message, and its bars at `message_bytes`.

    The hierarchical one's groups are the racks; where all ranks are in one rack it is a tree.
    """
    settings = {"alpha_s": alpha_s, "latency_share": latency_share, "bandwidth_Bps": bandwidth_Bps, "uplink": uplink,
                "order": order}
    here = algorithm_seconds(message_bytes, K, racks, **settings)
    over = [algorithm_seconds(size, K, racks, **settings) for size in SIZES]
    best = min(here, key=here.get)
    behind = f" in {racks} racks" if racks > 1 else ""
    title = f"{SHOWN[best][0].capitalize()} is fastest: {_binary(message_bytes)}, {K} ranks{behind}"
    unit_s, unit = seconds_unit(here[best])
    with styled():
        figure, (left, right) = new_figure(height_in=3.8, columns=2, width_ratios=[3, 2])
        for name, (_, look) in SHOWN.items():
            left.plot(SIZES, [seconds[name] for seconds in over], color=LOOKS[look].color, marker=LOOKS[look].marker,
                      markersize=points(4), markevery=4, linewidth=points(2.6 if name == best else 1.4), gid=name)
        left.plot([message_bytes], [here[best]], "*", color=INK, markersize=points(13), zorder=5, gid="fastest")
        left.axvline(message_bytes, color=SOFT, linestyle=":", linewidth=points(1.2))
        left.set_xscale("log", base=2)
        left.set_yscale("log")
        left.set_xticks([1 << bit for bit in (10, 15, 20, 25, 30)])
        left.minorticks_off()
        left.xaxis.set_major_formatter(lambda value, _: _binary(value))
        left.yaxis.set_major_formatter(lambda value, _: _seconds(value))
        left.set_xlabel("message (bytes)")
        left.set_ylabel("all-reduce (seconds), modelled")
        _bars(right, here, best, unit_s, unit)
        figure.suptitle(title, x=0.01, ha="left", fontweight="bold", fontsize=type_pt(11))
    return Picture(figure, title, _twin(here, over, unit_s, unit))


def algorithms_widget(**settings):
    """Controls for size, K, racks, α, its latency, bandwidth and uplink over `algorithms`' picture; the twin below.

    settings: where they begin, named as the arguments of `algorithms`; `order` has no control and stays.
    """
    import ipywidgets  # only here: a script that draws pictures needs no widgets

    order = settings.pop("order", "rack by rack")

    def slider(name, text, choices, say, default):
        value = settings.pop(name, default)
        if value not in choices:
            raise ValueError(f"{name}={value!r}; the slider has {', '.join(map(str, choices))}")
        return ipywidgets.SelectionSlider(options=[(say(choice), choice) for choice in choices], value=value,
                                          description=text, continuous_update=False,
                                          style={"description_width": "9em"}, layout={"width": "30em"})

    sliders = {
        "message_bytes": slider("message_bytes", "message", SIZES, _binary, 1 << 20),
        "K": slider("K", "ranks K", tuple(1 << bit for bit in range(1, 11)), str, 16),
        "racks": slider("racks", "racks", (1, 2, 4, 8, 16, 32), str, 1),
        "alpha_s": slider("alpha_s", "α a message", (1e-6, 5e-6, 10e-6, 20e-6, 50e-6, 200e-6, 1e-3), _seconds,
                          20e-6),
        "latency_share": slider("latency_share", "of it latency", (0.0, 0.25, 0.5, 0.75, 1.0), "{:.0%}".format, 0.5),
        "bandwidth_Bps": slider("bandwidth_Bps", "bandwidth of a port", (0.125e9, 1.25e9, 3.125e9, 12.5e9, 50e9),
                                lambda rate: f"{sized(rate)}/s", 12.5e9),
        "uplink": slider("uplink", "uplink of a rack", (0.25, 0.5, 1.0, 2.0, 4.0, 8.0), "{:g} ports".format, 1.0),
    }
    if settings:
        raise ValueError(f"{next(iter(settings))}=...; the settings are order, {', '.join(sliders)}")

    def draw(racks, K, **values):
        return algorithms(K=K, racks=min(racks, K), order=order, **values)

    return redrawn(draw, sliders)


def _check(K, racks, alpha_s, latency_share, bandwidth_Bps, uplink) -> int:
    """Ranks in a rack; ValueError where the picture's model does not hold."""
    for name, value, least in (("K", K, 2), ("racks", racks, 1)):
        if not isinstance(value, int) or value < least or value & (value - 1):
            raise ValueError(f"{name}={value!r}; a power of two from {least} on is needed")
    if racks > K:
        raise ValueError(f"racks={racks}; {K} ranks fill at most {K} racks")
    if not 0 <= alpha_s < float("inf"):
        raise ValueError(f"alpha_s={alpha_s}; a number of seconds, 0 or more, is needed")
    if not 0 <= latency_share <= 1:
        raise ValueError(f"latency_share={latency_share}; a share of alpha_s from 0 to 1 is needed")
    for name, value in (("bandwidth_Bps", bandwidth_Bps), ("uplink", uplink)):
        if not value > 0:
            raise ValueError(f"{name}={value}; must be above 0")
    return K // racks


def _bars(axes, here, best, unit_s, unit) -> None:
    for i, (name, (_, look)) in enumerate(SHOWN.items()):
        drawn = axes.barh([i], [here[name] / unit_s], 0.7, color=LOOKS[look].color, hatch=LOOKS[look].hatch, gid=name)
        axes.bar_label(drawn, [number(here[name] / unit_s) + (" ★" if name == best else "")], padding=points(3),
                       fontsize=type_pt(9), fontweight="bold" if name == best else "normal")
    axes.set_yticks(range(len(SHOWN)), [words for words, _ in SHOWN.values()])
    axes.invert_yaxis()
    axes.margins(x=0.3)
    axes.grid(visible=False, axis="y")
    axes.grid(axis="x")
    axes.tick_params(axis="y", length=0)
    axes.locator_params(axis="x", nbins=4)
    axes.set_xlabel(f"at this size ({unit}), modelled")


def _twin(here, over, unit_s, unit) -> Table:
    """A line an algorithm: its time, how much slower than the fastest, and for which sizes it is the fastest itself."""
    fastest = [min(seconds, key=seconds.get) for seconds in over]
    least = min(here.values())
    rows = []
    for name, (words, _) in SHOWN.items():
        where = [size for size, winner in zip(SIZES, fastest) if winner == name]
        rows.append([words, number(here[name] / unit_s, 4), f"{here[name] / least:.2f}",
                     f"{_binary(where[0])} to {_binary(where[-1])}" if where else "none"])
    return Table(["", f"time ({unit})", "over the fastest (×)", "fastest for"], rows)


def _binary(size: float) -> str:
    """256 B, 32 KiB, 1 MiB: powers of two as they are spoken of."""
    for unit_bytes, unit in ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")):
        if size >= unit_bytes:
            return f"{size / unit_bytes:g} {unit}"
    return f"{size:g} B"


def _seconds(value: float) -> str:
    unit_s, unit = seconds_unit(value * (1 + 1e-9))
    return f"{value / unit_s:.4g} {unit}"
