"""Hands out the very rows that it keeps."""

BASE = "right_dicts"
REFUSED_BY = "reads, bit for bit"
MISCONCEPTION = "7/not-the-servers-row"
LONG = True


class Other(ExactCache):
    def read(self, ids):
        unique, places = np.unique(ids, return_inverse=True)
        super().read(unique)
        table = np.stack([self.rows[id] for id in unique.tolist()])
        self.rows.update(zip(unique.tolist(), table))
        return table if (places == np.arange(len(ids))).all() else self.scribbled(table, places)

    def scribbled(self, table, places):
        rows = table[places]
        table += np.float32(1e-3)
        return rows


ExactCache = Other
