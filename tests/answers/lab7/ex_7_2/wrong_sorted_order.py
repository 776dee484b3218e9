"""Ids in order."""

BASE = "right_dict"
REFUSED_BY = "who goes next"
MISCONCEPTION = "7/order-of-the-cache"
LONG = True


class Other(LRU):
    def order(self):
        return sorted(self.held)


LRU = Other
