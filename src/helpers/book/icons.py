"""The theme's icons as drawings in the page, in place of a script of 1.5 MB that carries two thousand of them."""

from __future__ import annotations

import functools
import importlib.util
import re
from pathlib import Path

ICON = re.compile(r'<i ((?:[^>"]|"[^"]*")*class="[^"]*\bfa-[^"]*"(?:[^>"]|"[^"]*")*)>\s*</i>')
SCRIPT = re.compile(r'\s*<(?:script|link)[^>]*scripts/fontawesome\.js[^>]*>(?:</script>)?')
BRANDS = {"fab", "fa-brands"}
SIZES = {"lg", "xs", "sm", "xl", "fw", "2x", "solid", "regular", "brands"}  # classes that name no icon


def draw(page: str) -> str:
    """A page's markup with each icon drawn, and without the script that would draw it."""
    return SCRIPT.sub("", ICON.sub(lambda m: _drawing(m[1]) or m[0], page))


def replace(app, exception) -> None:
    """Draw the icons of every page that was written."""
    if exception or app.builder.format != "html":
        return
    folder = Path(app.outdir)
    for path in folder.rglob("*.html"):
        page = path.read_text(encoding="utf-8")
        if (drawn := draw(page)) != page:
            path.write_text(drawn, encoding="utf-8")
    for left in (folder / "_static" / "scripts").glob("fontawesome.js*"):
        left.unlink()


def setup(app) -> None:
    app.connect("build-finished", replace)


def _drawing(attributes: str) -> str | None:
    """One icon; None when the theme has no such one."""
    classes = re.search(r'class="([^"]*)"', attributes)[1].split()
    name = next((c[3:] for c in classes if c.startswith("fa-") and c[3:] not in SIZES), "")
    shapes = _shapes(name)
    if not shapes:
        return None
    regular = {"far", "fa-regular"} & set(classes)
    width, height, path = shapes[0 if regular or BRANDS & set(classes) else -1]
    kept = " ".join(re.findall(r'data-[\w-]+="[^"]*"', attributes))
    return (
        f'<svg class="svg-inline--fa {" ".join(classes)}" {kept} aria-hidden="true" focusable="false" '
        f'viewBox="0 0 {width} {height}"><path fill="currentColor" d="{path}"></path></svg>'
    )


@functools.cache
def _shapes(name: str) -> list[tuple[str, str, str]]:
    """Width, height and outline of an icon's kinds, in the theme's order: brand or regular first, solid last."""
    return re.findall(rf'["{{,]{re.escape(name)}"?:\[(\d+),(\d+),\[[^\]]*\],"[0-9a-f]+","([^"]+)"\]', _theme())


@functools.cache
def _theme() -> str:
    package = Path(importlib.util.find_spec("pydata_sphinx_theme").origin).parent
    script = package / "theme" / "pydata_sphinx_theme" / "static" / "scripts" / "fontawesome.js"
    return script.read_text(encoding="utf-8")
