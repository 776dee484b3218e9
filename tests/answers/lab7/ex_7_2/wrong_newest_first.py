"""The most recent stands first."""

BASE = "right_dict"
REFUSED_BY = "who goes next"
MISCONCEPTION = "7/order-backwards"
LONG = True


class Other(LRU):
    def order(self):
        return list(self.held)[::-1]


LRU = Other
