"""1.5: who could do what: six systems of three generations, four properties, a random half asked; at most one point.

                                  own update   several models   choice of consistency   second copy
    topic models, memcached 2010      no             no                 no                  no
    YahooLDA 2012                     yes            no                 no                  ·
    DistBelief 2012                   ·              no                 ·                   ·
    Petuum 2013                       ·              yes                yes                 no
    parameter server, OSDI 2014       yes            yes                yes                 yes
    ps-lite                           yes            yes                ·                   no

A dot is not asked: the papers do not say it in a word. Sources: Li et al. (OSDI 2014), sections 1.3 and 4, for the
first, second and fifth line and for what Petuum added; ps-lite's own description of itself.
"""

from __future__ import annotations

from pslab.grade import Case, Criterion, Exercise, Misconception, Verdict

PROPERTIES = ("update", "general", "consistency", "replication")
MATRIX = {
    "memcached topic models": (False, False, False, False),
    "YahooLDA": (True, False, False, None),
    "DistBelief": (None, False, None, None),
    "Petuum": (None, True, True, False),
    "OSDI'14": (True, True, True, True),
    "ps-lite": (True, True, None, False),
}


def cells() -> list[tuple[str, str, bool]]:
    """(system, property, whether it has it) of all cells that may be asked."""
    return [(system, name, has) for system, row in MATRIX.items() for name, has in zip(PROPERTIES, row)
            if has is not None]


def half(rng) -> list[tuple[str, str, bool]]:
    """A random half of them."""
    known = cells()
    return [known[i] for i in sorted(rng.permutation(len(known))[:len(known) // 2])]


def asked(answers, case: Case) -> Verdict:
    given = answers.call("generations")
    if not isinstance(given, dict) or any(not isinstance(given.get(system, {}), dict) for system in MATRIX):
        return Verdict(False, "{system: {property: True or False}}", repr(given)[:80], "", "all/bad-value")
    wrong = []
    for system, name, has in half(case.rng):
        said = given.get(system, {}).get(name)
        if said is None:
            return Verdict(False, "True or False", "nothing", f"{system}: {name}", "all/unpicked")
        if not isinstance(said, bool):
            return Verdict(False, "True or False", repr(said)[:60], f"{system}: {name}", "all/bad-value")
        if said != has:
            wrong.append((system, name, said))
    if wrong:
        system, name, said = wrong[0]
        return Verdict(False, "all cells of the half that was drawn", f"{len(wrong)} wrong, {said} for the first",
                       f"{system}: {name}", f"1/{name}-{'too-early' if said else 'missed'}")
    return Verdict(True, seen=f"{len(cells()) // 2} cells drawn, all right")


HISTORY = Exercise(
    id="1.5", lab="1", title="Three generations", names=("generations",), kind="quiz",
    signature="def generations() -> dict[str, dict[str, bool]]",
    points=1, minutes=5, difficulty=1, core=False, prerequisites=(), chapter_number="11.1.5",
    goal="For six systems whether they had: 'update', a server that runs an update of the application's; 'general', "
         "made for more than one family of models; 'consistency', a choice of it for the user; 'replication', a second "
         "copy of a server's rows. A random half of the cells is looked at.",
    example="generations() -> {'ps-lite': {'update': True, ...}, ...}",
    hints=(
        "memcached stores and returns bytes. What can it not do with a gradient?",
        "The second generation was made for one application each; Petuum calls itself a platform, and a bound on "
        "staleness is a choice. One system of the six keeps copies, and its open core left that out.",
    ),
    misconceptions=(
        Misconception("1/update-too-early", "A store such as memcached sets and gets values; it runs no update of an "
                      "application."),
        Misconception("1/update-missed", "This system let the application define what a server does with an update; it "
                      "began with YahooLDA's set, get and update."),
        Misconception("1/general-too-early", "The first two generations were made for one application each: topic "
                      "models, or deep networks."),
        Misconception("1/general-missed", "This one was made as a platform for many models."),
        Misconception("1/consistency-too-early", "Here consistency was fixed by the system; a choice came with bounded "
                      "delay in Petuum and with the third generation."),
        Misconception("1/consistency-missed", "A bound on staleness, or a model of consistency, could be chosen here."),
        Misconception("1/replication-too-early", "No second copy of a server's rows is kept here; ps-lite left out "
                      "what the system of OSDI'14 had."),
        Misconception("1/replication-missed", "The servers of OSDI'14 replicate their key ranges to others."),
    ),
    criteria=(Criterion("a random half", asked, 1),),
)
