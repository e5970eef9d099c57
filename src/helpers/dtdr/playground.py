"""What a reader can play with in Part I, computed in the page: a matrix to store, cut and rebuild; the closed formula of guided
filling with measured points; and a guess to draw before the curve is shown.
"""

from __future__ import annotations

import html
import json
from collections.abc import Iterable, Mapping, Sequence
from importlib import resources

import numpy as np

from helpers import devices
from helpers.codec import fills
from helpers.figures import INK, SERIES
from helpers.tables import Output

SIDE = 16  # rows and columns of the matrix
WIDE, HIGH, LEFT, TOP = 420, 200, 46, 10  # of a plot, and its margins
PLOT = f"0 0 {WIDE + 70} {HIGH + 50}"
COLORS = {"own": SERIES[0], "beside": SERIES[3], "guessed": INK, "transformed": SERIES[0], "raw": SERIES[1]}
STYLE = (
    "figure.playground svg{width:100%;max-width:620px;height:auto;display:block}"
    "figure.playground svg text{font-size:11px;fill:currentColor}"
    "figure.playground svg path{fill:none;stroke:#8c8c8c}"
    "figure.playground label{display:inline-block;margin-right:1.2em}"
    "figure.playground input{width:8rem;vertical-align:middle}"
    + "".join(f"figure.playground path.{name}{{stroke:{color};stroke-width:2}}" for name, color in COLORS.items())
    + f"figure.playground circle{{fill:{SERIES[1]}}}"
)
RUN = (
    "const f = this.closest('figure'); if (this.tagName == 'BUTTON') f.dataset.shown = 1; "
    "(f.program ??= new Function('figure', f.querySelector('script.program').textContent))(f)"
)


def program(name: str) -> str:
    """The script of one of the three, which computes and draws in the page."""
    return resources.files("helpers.dtdr").joinpath(f"assets/{name}.js").read_text(encoding="utf-8")


def matrix(caption: str, kept: float = 0.7) -> Output:
    """A matrix that is stored raw, rotated or shuffled, loses a part, and is rebuilt. What is shown at first is the raw one,
    with scattered entries lost.
    """
    rng = devices.numpy_rng("playground", "matrix")
    y, x = np.mgrid[:SIDE, :SIDE] / SIDE
    w = (np.sin(6 * x + 3 * y) + np.cos(9 * y) * x + 0.2 * rng.normal(size=(SIDE, SIDE))).round(3)
    hashed, signs, order = rng.random(SIDE**2).round(4), rng.choice([-1, 1], SIDE), rng.permutation(SIDE**2)
    rebuilt = np.where(hashed.reshape(w.shape) < kept, w, 0)
    cosine = float((w * rebuilt).sum() / np.sqrt((w**2).sum() * (rebuilt**2).sum()))
    data = {"w": w.ravel(), "hash": hashed, "signs": signs, "order": order}
    controls = _choice("stored", ("raw", "rotated", "shuffled"))
    controls += _choice("lost", ("entries here and there", "last rows", "one burst"))
    controls += _range("share kept", 0, 1, 0.05, kept)
    body = f'<g transform="translate(10 10)">{_cells(w)}</g>'
    body += f'<g transform="translate(220 10)" class="back">{_cells(rebuilt)}</g>'
    told = f"cosine {cosine:.2f}; the square root of the share kept is {kept**0.5:.2f}"
    title = "Rotate it, shuffle it, cut it"
    return _page(
        "matrix", title, controls, body, "0 0 430 210", told, {k: v.tolist() for k, v in data.items()}, caption
    )


def whisper(caption: str, points: Iterable[Sequence[float]]) -> Output:
    """The cosine of a guided fill by the share kept, as the closed formula says. points: measured (share, weight, ρ, cosine)
    each, of priors as long as the weights; those whose weight and ρ are nearest to the sliders' are drawn.
    """
    f, b, rho = 0.4, 0.15, 1.0
    grid = np.linspace(0.02, 1, 50)
    curve = [fills.cosine(float(x), "guided", weight=b, rho=rho) for x in grid]
    body = _axes("share kept", "cosine") + f'<path class="own" d="{_line(grid, curve)}"/>'
    body += f'<path class="beside" d="{_line(grid, grid**0.5)}"/><g class="dots"></g>'
    controls = _range("share f", 0.02, 1, 0.02, f) + _range("weight b", 0, 1.5, 0.05, b)
    controls += _range("prior's cosine ρ", -0.2, 1, 0.05, rho)
    here = fills.cosine(f, "guided", weight=b, rho=rho)
    told = f"cosine {here:.3f}, which zero fill reaches with {here**2:.0%} kept"
    data = {"points": sorted({tuple(round(float(v), 3) for v in p) for p in points})}
    return _page("whisper", "How much of the answer is in the whisper?", controls, body, PLOT, told, data, caption)


def guess(
    caption: str, curves: Mapping[str, tuple[Sequence[float], Sequence[float]]], nothing: float, whole: float
) -> Output:
    """A guess at how the loss comes back, set by two sliders, to be held against measured curves: {name: (shares, losses)}.
    nothing, whole: losses without coefficients and with all of them, nats a token.
    """
    held = {name: [np.round(x, 4).tolist(), np.round(y, 4).tolist()] for name, (x, y) in curves.items()}
    data = {"curves": held, "nothing": round(nothing, 3), "whole": round(whole, 3)}
    grid, half, wide = np.linspace(0, 1, 61), 0.5, 0.44
    share = 1 / (1 + np.exp(-(grid - half) * 2 * np.log(9) / wide))
    body = _axes("share of coefficients kept", "share of the loss recovered")
    body += f'<path class="guessed" d="{_line(grid, share)}"/><g class="shown"></g>'
    controls = _range("half is back at", 0.05, 0.98, 0.01, half)
    controls += _range("from a tenth to nine tenths", 0.02, 0.9, 0.01, wide)
    controls += f'<button type="button" onclick="{html.escape(RUN)}">show what was measured</button>'
    return _page("guess", "Draw your guess", controls, body, PLOT, "Set your guess, then look.", data, caption)


def _page(name: str, title: str, controls: str, body: str, box: str, told: str, data: Mapping, caption: str) -> Output:
    held = json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")
    markup = (
        f'<figure class="playground mathjax_ignore tex2jax_ignore"><style>{STYLE}</style>'
        f'<p class="title">{html.escape(title)}</p><div class="control">{controls}</div>'
        f'<svg viewBox="{box}" role="img" aria-label="{html.escape(title)}">{body}</svg>'
        f'<p class="told" aria-live="polite">{told}</p><script class="data" type="text/plain">{held}</script>'
        f'<script class="program" type="text/plain">{program(name)}</script>'
        f'<figcaption class="figcaption">{html.escape(caption)}</figcaption></figure>'
    )
    return Output({"text/html": markup, "text/plain": f"[playground] {caption}"})


def _range(name: str, low: float, high: float, by: float, value: float) -> str:
    return (
        f'<label>{name} <input type="range" min="{low}" max="{high}" step="{by}" value="{value}" autocomplete="off" '
        f'data-lm-suppress-shortcuts="true" oninput="{html.escape(RUN)}"> <output>{value:g}</output></label>'
    )


def _choice(name: str, values: Sequence[str]) -> str:
    options = "".join(f"<option>{v}</option>" for v in values)
    return f'<label>{name} <select autocomplete="off" onchange="{html.escape(RUN)}">{options}</select></label>'


def _cells(w: np.ndarray) -> str:
    """A square of grey cells: black is −2 or less, white is 2 or more."""
    grey = ((np.clip(w, -2, 2) + 2) * 63.75).round().astype(int)
    return "".join(
        f'<rect x="{12 * j}" y="{12 * i}" width="12" height="12" fill="rgb({v},{v},{v})"/>'
        for i, row in enumerate(grey)
        for j, v in enumerate(row)
    )


def _line(x: Sequence[float], y: Sequence[float]) -> str:
    places = (f"{LEFT + WIDE * a:.1f} {TOP + HIGH * (1 - b):.1f}" for a, b in zip(x, y, strict=True))
    return "M" + "L".join(places)


def _axes(x: str, y: str) -> str:
    ticks = "".join(
        f'<text x="{LEFT + WIDE * v}" y="{TOP + HIGH + 16}" text-anchor="middle">{v:g}</text>'
        f'<text x="{LEFT - 6}" y="{TOP + HIGH * (1 - v) + 4}" text-anchor="end">{v:g}</text>'
        for v in (0, 0.5, 1)
    )
    return (
        f'<path d="M{LEFT} {TOP}V{TOP + HIGH}H{LEFT + WIDE}"/>{ticks}'
        f'<text x="{LEFT + WIDE / 2}" y="{TOP + HIGH + 34}" text-anchor="middle">{x}</text>'
        f'<text x="{LEFT + 8}" y="{TOP + 12}">{y}</text>'
    )
