"""One more than the window."""

BASE = "right_mark"
REFUSED_BY = "no letter without need"
MISCONCEPTION = "2/window-overrun"


def push_all(comm, server, incarnation, pushes, window, retry_s):
    def send(number):
        comm.post(server, "push", {"n": incarnation, "q": number}, pushes[number])
        sent_s[number] = comm.now()

    sent_s, fresh = {}, 0
    while fresh < len(pushes) or sent_s:
        while fresh < len(pushes) and (not sent_s or fresh < min(sent_s) + window + 1):
            send(fresh)
            fresh += 1
        letter = comm.poll(max(0.0, min(sent_s.values()) + retry_s - comm.now()))
        if letter is not None and letter.meta["n"] == incarnation:
            sent_s.pop(letter.meta["q"], None)
        for number in [n for n, at_s in sent_s.items() if comm.now() >= at_s + retry_s]:
            send(number)
