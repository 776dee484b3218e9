"""What a class needs: a rehearsal of its demonstrations, a page that says when what is shown, a handout, a poll.

    chapters/NAME.ipynb + docs/class/11_09.md ──rehearse──> seconds of every demonstration on this machine
                                              ──handout───> one A4 page
"""
