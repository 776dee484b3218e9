"""The last `window` numbers as bits below the highest one; the worker sends what is open after a quiet time."""

LONG = True


def apply_once(rows, seen, letter, window):
    who = letter["sender"], letter["incarnation"]
    highest, bits = seen.get(who, (-1, 0))
    number = letter["number"]
    if number > highest:
        bits, highest = (bits << (number - highest) | 1) & ((1 << window) - 1), number
        new = True
    else:
        behind = highest - number
        new = behind < window and not bits >> behind & 1
        bits |= (1 << behind) if new else 0
    seen[who] = highest, bits
    if new:
        rows[letter["keys"]] += letter["vals"]
    return who[1], number


class Open:
    """What is without an answer, and until when it has time."""

    def __init__(self):
        self.due_s = {}


def push_all(comm, server, incarnation, pushes, window, retry_s):
    open_, acknowledged, low = Open().due_s, set(), 0

    def post(number, again):
        comm.post(server, "push", {"q": number, "n": incarnation}, list(pushes[number]))
        open_[number] = comm.now() + retry_s

    while low < len(pushes):
        for number in range(low, min(low + window, len(pushes))):
            if number not in acknowledged and open_.get(number, 0.0) <= comm.now():
                post(number, number in open_)
        wait_s = min(open_.values()) - comm.now()
        letter = comm.poll(wait_s)
        while letter is not None:
            if letter.kind == "ack" and letter.meta["n"] == incarnation:
                acknowledged.add(letter.meta["q"])
                open_.pop(letter.meta["q"], None)
            letter = comm.poll(0)
        while low in acknowledged:
            acknowledged.discard(low)
            low += 1
