"""Curves that grow while a cell runs."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping

from helpers import figures


class LivePlot:
    """Curves that grow while a cell runs in a live notebook; silent under a batch run, whose reader sees the final figure.

    with LivePlot("Training loss", "step", "nats") as live:
        live(step, {"learned": 2.1, "autoencoder": 2.4})
    """

    def __init__(self, title: str, x: str, y: str, every: float = 1.0):
        self.title, self.x, self.y, self.every = title, x, y, every
        self.curves: dict[str, list[tuple[float, float]]] = {}
        self.handle, self.drawn = None, 0.0
        self.on = "RUC_RUN_DIR" not in os.environ and _in_notebook()

    def __enter__(self):
        return self

    def __call__(self, at: float, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            self.curves.setdefault(name, []).append((at, float(value)))
        if self.on and time.monotonic() - self.drawn > self.every:
            self._draw()

    def __exit__(self, *_):
        if self.on:
            self._draw()

    def _draw(self) -> None:
        from IPython.display import display

        fig = figures.figure(self.title, self.x, self.y, height=320)
        for name, points in self.curves.items():
            fig.add_scatter(x=[p[0] for p in points], y=[p[1] for p in points], name=name, mode="lines")
        bundle = {figures.MIME: fig.to_plotly_json() | {"config": figures.CONFIG}, "text/plain": self.title}
        if self.handle is None:
            self.handle = display(figures.Output(bundle), display_id=True)
        else:
            self.handle.update(figures.Output(bundle))
        self.drawn = time.monotonic()


def _in_notebook() -> bool:
    try:
        from IPython import get_ipython
    except ImportError:
        return False
    shell = get_ipython()
    return shell is not None and shell.__class__.__name__ == "ZMQInteractiveShell"
