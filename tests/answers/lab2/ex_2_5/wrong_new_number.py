"""A copy gets a number of its own."""

BASE = "right_mark"
REFUSED_BY = "until it is acknowledged"
MISCONCEPTION = "2/another-number-again"


def push_all(comm, server, incarnation, pushes, window, retry_s):
    def send(number):
        comm.post(server, "push", {"n": incarnation, "q": number}, pushes[number % len(pushes)])
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
            sent_s.pop(number)
            send(number + len(pushes))
