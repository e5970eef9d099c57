"""Live plotly figures in a static page: one copy of plotly.js for the site, drawn when a figure comes near the screen."""

from __future__ import annotations

import filecmp
import html
import importlib.util
import json
import shutil
from pathlib import Path

from docutils import nodes
from myst_nb.core import render
from sphinx.transforms.post_transforms import SphinxPostTransform

from helpers.figures import MIME

SCRIPT = '<script type="application/json">{spec}</script>'
BOX = (
    '<div class="plotly-fig" role="img" aria-label="{alt}" style="min-height:{height}px">{script}'
    '<p class="plotly-fallback">A live figure stands here. What it shows: {alt}</p></div>'
)
NOSCRIPT = "<noscript><style>.plotly-static,.plotly-fallback{display:block!important}.plotly-fig{min-height:0!important}</style></noscript>"


class PlotlyMime:
    """myst-nb's plug-in for the plotly MIME type: the figure's JSON, in a box of its final height."""

    mime_priority_overrides = [(builder, MIME, 1) for builder in ("html", "dirhtml", "singlehtml")]

    @staticmethod
    def handle_mime(renderer, data, inline):
        """The nodes for one figure, or None for any other MIME type."""
        if inline or data.mime_type != MIME:
            return None
        layout = data.content.get("layout", {})
        title = (layout.get("title") or {}).get("text", "figure")
        meta = layout.get("meta") or {}
        alt = html.escape(meta.get("alt") or title, quote=True)
        height = int(layout.get("height", 420))
        spec = json.dumps(data.content, separators=(",", ":"), ensure_ascii=False).replace("</", "<\\/")
        box = BOX.format(alt=alt, height=height, script=SCRIPT.format(spec=spec))
        return [nodes.raw("", box, format="html", classes=["plotly"])]


class StaticTwin(SphinxPostTransform):
    """Keep the PNG of a figure's bundle behind the live figure: hidden on screen, shown in print and without scripts."""

    default_priority = 3  # before myst-nb selects one MIME type (4)

    def run(self, **kwargs) -> None:
        for bundle in list(self.document.findall(nodes.container)):
            if bundle.get("nb_element") != "mime_bundle":
                continue
            kinds = {child["mime_type"]: child for child in bundle.children}
            if MIME in kinds and "image/png" in kinds:
                for image in kinds["image/png"].findall(nodes.image):
                    image["classes"].append("plotly-static")
                    image["loading"] = "lazy"
                    kinds[MIME].append(image.deepcopy())
                    kinds[MIME].children[0]["classes"].append("has-static")


def copy_assets(app) -> None:
    """Put plotly.js, MathJax and the book's own files where the theme serves static files, before any page is written."""
    if app.builder.format != "html":
        return
    static = Path(app.outdir) / "_static"
    (static / "mathjax").mkdir(parents=True, exist_ok=True)
    _copy(_folder("plotly") / "package_data" / "plotly.min.js", static / "plotly.min.js")
    mathjax = Path("mathjax") / "tex-svg-full.js"
    _copy(_folder("sphinx-mathjax-offline") / "static" / mathjax, static / mathjax)
    for asset in (Path(__file__).parent / "assets").iterdir():
        _copy(asset, static / asset.name)


def add_scripts(app, pagename, templatename, context, doctree) -> None:
    """plotly.js goes only to pages that hold a figure."""
    app.add_css_file("book.css")
    if doctree is not None and any("plotly" in n["classes"] for n in doctree.findall(nodes.raw)):
        app.add_js_file("plotly.min.js", priority=600, loading_method="defer")
        app.add_js_file("figures.js", priority=700, loading_method="defer")
        context["metatags"] = context.get("metatags", "") + NOSCRIPT


def setup(app) -> None:
    plugins = render.load_mime_renders()
    if PlotlyMime not in plugins:
        plugins.append(PlotlyMime)
    app.add_post_transform(StaticTwin)
    app.connect("builder-inited", copy_assets)
    app.connect("html-page-context", add_scripts)


def _folder(package: str) -> Path:
    return Path(importlib.util.find_spec(package).origin).parent


def _copy(source: Path, target: Path) -> None:
    """Copy unless the same bytes are there already, so that a rebuild leaves pages as they are."""
    if not target.is_file() or not filecmp.cmp(source, target, shallow=False):
        shutil.copyfile(source, target)
