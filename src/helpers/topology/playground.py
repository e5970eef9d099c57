"""A cloud to play with: sliders for its size, its dimension and its noise, and the barcode that the browser
computes."""

from __future__ import annotations

import html
from importlib import resources

import numpy as np

from helpers import devices
from helpers.figures import SERIES
from helpers.tables import Output
from helpers.topology.barcodes import barcodes
from helpers.topology.bars import holes, percentile_count

STYLE = (
    "figure.playground svg{width:100%;max-width:620px;height:auto;display:block}"
    f"figure.playground circle{{fill:{SERIES[0]}}}figure.playground path{{stroke:#8c8c8c}}"
    f"figure.playground path.counted{{stroke:{SERIES[1]}}}figure.playground path.hole{{stroke:{SERIES[2]}}}"
    "figure.playground label{display:inline-block;margin-right:1.2em}figure.playground input{width:9rem;vertical-align:middle}"
)
RUN = (
    "const f = this.closest('figure'); if (this.tagName == 'BUTTON') f.dataset.draw = (f.dataset.draw | 0) + 1; "
    "(f.program ??= new Function('figure', f.querySelector('script').textContent))(f)"
)
SLIDERS = (("points n", 8, 80, 1), ("dimensions d", 2, 20, 1), ("noise", 0, 3, 0.1))
START = 50, 2, 0.3  # n, d, noise


def program() -> str:
    """The script that computes and draws in the page."""
    return resources.files("helpers.topology").joinpath("assets/playground.js").read_text(encoding="utf-8")


def playground(caption: str) -> Output:
    """A ring with noise of length `noise` in d dimensions, n points of it, and its barcode: the bars that the
    document counts and those that are significant under the universal law are marked. What is shown at first is
    drawn here; the page computes the rest."""
    n, d, noise = START
    rng = devices.numpy_rng("playground")
    turn = rng.uniform(0, 2 * np.pi, n)
    points = np.pad(np.stack([np.cos(turn), np.sin(turn)], 1), ((0, 0), (0, d - 2)))
    points += rng.normal(size=(n, d)) * noise / np.sqrt(d)
    code = barcodes(points)
    count, hole, bars = int(percentile_count(code)), int(holes(code)), code.each[0]
    step, far = min(9, 180 / max(1, len(bars))), max(0.1, float(bars.max(initial=0)))
    dots = "".join(f'<circle cx="{100 + 55 * x:.1f}" cy="{100 - 55 * y:.1f}" r="2.5"/>' for x, y in points[:, :2])
    lines = "".join(
        f'<path d="M{210 + 360 * b / far:.1f} {12 + i * step:.1f}H{210 + 360 * e / far:.1f}" '
        f'class="{"hole" if i < hole else "counted" if i < count else ""}" stroke-width="{max(1, step - 1.5):.1f}"/>'
        for i, (b, e) in enumerate(bars)
    )
    controls = "".join(
        f'<label>{name} <input type="range" min="{low}" max="{high}" step="{by}" value="{value}" autocomplete="off" '
        f'data-lm-suppress-shortcuts="true" oninput="{html.escape(RUN)}"> <output>{value:g}</output></label>'
        for (name, low, high, by), value in zip(SLIDERS, START, strict=True)
    )
    told = f"{len(bars)} bars; the document counts {count}, the universal law {hole} hole{'' if hole == 1 else 's'}"
    markup = (
        f'<figure class="playground mathjax_ignore tex2jax_ignore"><style>{STYLE}</style><p class="title">'
        f'What do n, d and noise do to a barcode?</p><div class="control">{controls}'
        f'<button type="button" onclick="{html.escape(RUN)}">another draw</button></div>'
        f'<svg viewBox="0 0 580 200" role="img" aria-label="A cloud of points and its barcode">{dots}{lines}</svg>'
        f'<p class="told" aria-live="polite">{told}</p><script type="text/plain">{program()}</script>'
        f'<figcaption class="figcaption">{html.escape(caption)}</figcaption></figure>'
    )
    return Output({"text/html": markup, "text/plain": f"[playground] {caption}"})
