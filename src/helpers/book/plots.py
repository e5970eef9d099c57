"""Live plotly figures in a static page, drawn when they come near the screen, with a still picture behind each.

plotly.js is its cartesian bundle (MIT; the npm package plotly.js-cartesian-dist-min, of the wheel's version),
kept beside this file; the wheel's own full one serves a page with a figure that needs more.
"""

from __future__ import annotations

import filecmp
import hashlib
import html
import importlib.util
import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from docutils import nodes
from myst_nb.core import render
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import logging

from helpers.book import still
from helpers.figures import MIME

ASSETS = Path(__file__).parent / "assets"
FULL, CARTESIAN = "plotly.min.js", "plotly-cartesian.min.js"
IN_CARTESIAN = {
    "bar", "box", "contour", "heatmap", "histogram", "histogram2d", "histogram2dcontour", "image", "pie", "scatter",
    "scatterternary", "violin",
}  # fmt: skip
SCRIPTS = ("controls.js", "figures.js")
BOX = (
    '<div class="plotly-fig" role="figure" aria-label="{name}" style="min-height:{height}px">'
    '<script type="application/json">{spec}</script>{fallback}</div>'
)
FALLBACK = '<p class="plotly-fallback">A live figure stands here; it needs JavaScript. {alt}</p>'
NOSCRIPT = (
    "<noscript><style>.plotly-static,.plotly-fallback{display:block!important}.plotly-fig{min-height:0!important}"
    ".has-static .plotly-fig{display:none}</style></noscript>"
)
CAPTION = re.compile(r'<(\w+) class="figcaption">')


class PlotlyMime:
    """myst-nb's plug-in for the plotly MIME type: the figure's JSON, in a box of its final height, and its still picture."""

    mime_priority_overrides: ClassVar = [(builder, MIME, 1) for builder in ("html", "dirhtml", "singlehtml")]

    @staticmethod
    def handle_mime(renderer, data, inline):
        """The nodes for one figure, or None for any other MIME type."""
        if inline or data.mime_type != MIME:
            return None
        title, alt = titles(data.content)
        picture = _picture(renderer, data.content, title)
        box = nodes.raw("", "", format="html", classes=["plotly"])
        box += nodes.Text(framed(data.content, "" if picture else FALLBACK.format(alt=html.escape(alt))))
        box["kinds"] = sorted({trace.get("type", "scatter") for trace in data.content.get("data", ())})
        return [box, *picture]


def titles(spec: Mapping) -> tuple[str, str]:
    """A figure's name, and its text for readers who do not see it; one stands for the other where that is missing."""
    layout = spec.get("layout", {})
    title = re.sub(r"<[^>]+>", " ", (layout.get("title") or {}).get("text") or "")
    alt = (layout.get("meta") or {}).get("alt") or title or "figure"
    return title or alt, alt


def framed(spec: Mapping, fallback: str = "") -> str:
    """A figure's JSON in a box of its final height, as markup. fallback: what stands there without scripts."""
    text = json.dumps(spec, separators=(",", ":"), ensure_ascii=False).replace("</", "<\\/")
    height = int(spec.get("layout", {}).get("height", 420))
    return BOX.format(name=html.escape(titles(spec)[0]), height=height, spec=text, fallback=fallback)


class Twins(SphinxPostTransform):
    """Give each figure its still picture, hidden on screen and shown in print and without scripts, and its description.

    The picture is the PNG of its bundle where there is one, else the SVG. What describes it is the caption that follows.
    """

    default_priority = 3  # before myst-nb selects one MIME type (4)

    def run(self, **kwargs) -> None:
        bundles = [b for b in self.document.findall(nodes.container) if b.get("nb_element") == "mime_bundle"]
        kinds = [{child["mime_type"]: child for child in bundle.children} for bundle in bundles]
        for place, (mine, following) in enumerate(zip(kinds, [*kinds, {}][1:], strict=True)):
            if MIME in mine:
                self._picture(mine)
                self._caption(mine[MIME], following.get("text/html"), f"{Path(self.env.docname).name}-figure-{place}")

    def _picture(self, mine: dict) -> None:
        figure = mine[MIME]
        if "image/png" in mine:
            for old in list(figure.findall(nodes.image)):
                old.parent.remove(old)
            for image in mine["image/png"].findall(nodes.image):
                image["classes"].append("plotly-static")
                image["loading"] = "lazy"
                figure.append(image.deepcopy())
        if next(figure.findall(nodes.image), None) is not None:
            figure.children[0]["classes"].append("has-static")

    def _caption(self, figure, below, name: str) -> None:
        """Link the caption to its figure: the name is the title, the description the caption, which stands there once."""
        text = next(iter(below.findall(nodes.raw)), None) if below is not None else None
        if text is None or not CAPTION.match(text.astext()):
            return
        caption = CAPTION.sub(rf'<\1 class="figcaption" id="{name}">', text.astext(), count=1)
        text[:] = [nodes.Text(caption)]
        box = next(figure.findall(nodes.raw))
        linked = box.astext().replace('role="figure"', f'role="figure" aria-describedby="{name}"', 1)
        box[:] = [nodes.Text(re.sub(r"(it needs JavaScript\.)[^<]*", r"\1", linked))]


def copy_assets(app) -> None:
    """Put plotly.js and the book's own files where the theme serves static files, before any page is written."""
    if app.builder.format != "html":
        return
    for asset in ASSETS.iterdir():
        _copy(asset, Path(app.outdir) / "_static" / asset.name)


def add_scripts(app, pagename, templatename, context, doctree) -> None:
    """plotly.js goes only to pages that hold a figure; all of it only where one needs all."""
    app.add_css_file("book.css")
    figures = [n for n in doctree.findall(nodes.raw) if "plotly" in n["classes"]] if doctree is not None else []
    if not figures:
        return
    bundle = CARTESIAN
    if {kind for figure in figures for kind in figure.get("kinds", ())} - IN_CARTESIAN:
        bundle = FULL
        _copy(_wheel() / FULL, Path(app.outdir) / "_static" / FULL)
    for name in (bundle, *SCRIPTS):
        app.add_js_file(name, priority=600, loading_method="defer")
    context["metatags"] = context.get("metatags", "") + NOSCRIPT


def setup(app) -> None:
    plugins = render.load_mime_renders()
    if PlotlyMime not in plugins:
        plugins.append(PlotlyMime)
    app.add_post_transform(Twins)
    app.connect("builder-inited", copy_assets)
    app.connect("html-page-context", add_scripts)


def _picture(renderer, spec: dict, alt: str) -> list[nodes.image]:
    """A figure's still picture as a file of the book; none where it cannot be drawn."""
    try:
        drawn = still.picture(spec).encode()
    except still.Undrawable as reason:
        logging.getLogger(__name__).info("no still picture of %r: %s", alt, reason)
        return []
    uri = renderer.write_file([f"{hashlib.sha256(drawn).hexdigest()}.svg"], drawn, exists_ok=True)
    return [nodes.image(uri=uri, alt=alt, classes=["plotly-static"], loading="lazy")]


def _wheel() -> Path:
    return Path(importlib.util.find_spec("plotly").origin).parent / "package_data"


def _copy(source: Path, target: Path) -> None:
    """Copy unless the same bytes are there already, so that a rebuild leaves pages as they are."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if not target.is_file() or not filecmp.cmp(source, target, shallow=False):
        shutil.copyfile(source, target)
