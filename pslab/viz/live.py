"""A box of controls over a picture, which stays a picture where no controls can be shown.

    a live notebook            the controls, and the image that they redraw
    a stored or printed one    the image as it was last drawn, and its text
"""

from __future__ import annotations

import ipywidgets

from .picture import Picture


class Live(ipywidgets.VBox):
    """Its children in a column; `picture` is what they show now, for whoever cannot show them."""

    picture: Picture

    def _repr_mimebundle_(self, include=None, exclude=None):
        data = super()._repr_mimebundle_(include=include, exclude=exclude) or {}
        image, metadata = self.picture._repr_mimebundle_()
        return {**image, **data, "text/plain": image["text/plain"]}, metadata
