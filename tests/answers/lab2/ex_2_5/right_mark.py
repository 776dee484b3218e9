"""A mark and a set above it; the worker wakes when the oldest letter is due."""


def is_new(seen, sender, incarnation, number):
    life, mark, above = seen.get(sender, (0, 0, set()))
    if incarnation < life:
        return False
    if incarnation > life:
        life, mark, above = incarnation, 0, set()
    new = number >= mark and number not in above
    above.add(number)
    while mark in above:
        above.discard(mark)
        mark += 1
    seen[sender] = life, mark, {n for n in above if n >= mark}
    return new


def apply_once(rows, seen, letter, window):
    if is_new(seen, letter["sender"], letter["incarnation"], letter["number"]):
        rows.index_add_(0, letter["keys"], letter["vals"])
    return letter["incarnation"], letter["number"]


def push_all(comm, server, incarnation, pushes, window, retry_s):
    def send(number):
        comm.post(server, "push", {"n": incarnation, "q": number}, pushes[number])
        sent_s[number] = comm.now()

    sent_s, fresh = {}, 0
    while fresh < len(pushes) or sent_s:
        while fresh < len(pushes) and (not sent_s or fresh < min(sent_s) + window):
            send(fresh)
            fresh += 1
        letter = comm.poll(max(0.0, min(sent_s.values()) + retry_s - comm.now()))
        if letter is not None and letter.meta["n"] == incarnation:
            sent_s.pop(letter.meta["q"], None)
        for number in [n for n, at_s in sent_s.items() if comm.now() >= at_s + retry_s]:
            send(number)
