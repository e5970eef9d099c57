"""The theme's icons as drawings in the page, in place of a script of 1.5 MB that carries two thousand of them.

The few that a style sheet puts beside a title or a link stay signs of a font, which is cut to them.
"""

from __future__ import annotations

import functools
import importlib.util
import re
from pathlib import Path

from fontTools import subset
from fontTools.ttLib import TTFont

ICON = re.compile(r'<i ((?:[^>"]|"[^"]*")*class="[^"]*\bfa-[^"]*"(?:[^>"]|"[^"]*")*)>\s*</i>')
SCRIPT = re.compile(r'\s*<(?:script|link)[^>]*scripts/fontawesome\.js[^>]*>(?:</script>)?')
RULE = re.compile(r'(?<=\})(?:\.fa-[\w-]+:before,?)+\{content:[^}]*\}')
FIRST = {"far", "fa-regular", "fab", "fa-brands"}
KINDS = FIRST | {"fa", "fas", "fa-solid"}
SIZES = {"lg", "xs", "sm", "xl", "fw", "2x"}  # endings that name no icon
STATIC, FONTS, SHEET = "_static", "vendor/fontawesome/webfonts", "styles/pydata-sphinx-theme.css"


def draw(page: str) -> str:
    """A page's markup with each icon drawn, and without the script that would draw it."""
    return SCRIPT.sub("", ICON.sub(lambda m: _drawing(m[1]) or m[0], page))


def replace(app, exception) -> None:
    """Draw the icons of every page that was written, and leave out of the theme's files what served the others."""
    if exception or app.builder.format != "html":
        return
    folder = Path(app.outdir)
    for path in folder.rglob("*.html"):
        page = path.read_text(encoding="utf-8")
        if (drawn := draw(page)) != page:
            path.write_text(drawn, encoding="utf-8")
    for left in [*(folder / STATIC / "scripts").glob("fontawesome.js*"), *(folder / STATIC / FONTS).glob("*.woff2")]:
        left.unlink()
    (folder / STATIC / SHEET).write_text(slim(_theme(SHEET)), encoding="utf-8")
    sheets = "".join(path.read_text(encoding="utf-8") for path in (folder / STATIC).rglob("*.css"))
    for font in (_package() / FONTS).glob("*.ttf"):
        _subset(font, folder / STATIC / FONTS / font.name, sheets)


def slim(sheet: str) -> str:
    """The theme's style sheet without a rule an icon, and with fonts in one format."""
    return re.sub(r'url\([^)]*\.woff2\) format\("woff2"\),', "", RULE.sub("", sheet))


def setup(app) -> None:
    app.connect("build-finished", replace)


def _subset(font: Path, target: Path, sheets: str) -> None:
    """A font with the signs that style sheets ask for, of the range that no script of the world uses."""
    signs = [ord(sign) for sign in set(re.findall("[\ue000-\uf8ff]", sheets))]
    signs += [int(code, 16) for code in re.findall(r'"\\([ef][0-9a-f]{3})"', sheets)]
    cut = subset.Subsetter(subset.Options(notdef_outline=False, layout_features=[], drop_tables=["FFTM", "GSUB"]))
    with TTFont(font, recalcTimestamp=False) as found:
        cut.populate(unicodes=signs)
        cut.subset(found)
        found.save(target)


def _drawing(attributes: str) -> str | None:
    """One icon; None when the theme has no such one."""
    classes = re.search(r'class="([^"]*)"', attributes)[1].split()
    name = next((c[3:] for c in classes if c.startswith("fa-") and c not in KINDS and c[3:] not in SIZES), "")
    shapes = _shapes(name)
    if not shapes:
        return None
    width, height, path = shapes[0 if FIRST & set(classes) else -1]
    kept = " ".join(["svg-inline--fa", *(c for c in classes if c not in KINDS)])
    data = "".join(f" {d}" for d in re.findall(r'data-[\w-]+="[^"]*"', attributes))
    return (
        f'<svg class="{kept}"{data} aria-hidden="true" focusable="false" viewBox="0 0 {width} {height}">'
        f'<path fill="currentColor" d="{path}"></path></svg>'
    )


@functools.cache
def _shapes(name: str) -> list[tuple[str, str, str]]:
    """Width, height and outline of an icon's kinds, in the theme's order: brand or regular first, solid last."""
    icon = rf'["{{,]{re.escape(name)}"?:\[(\d+),(\d+),\[[^\]]*\],"[0-9a-f]+","([^"]+)"\]'
    return re.findall(icon, _theme("scripts/fontawesome.js"))


@functools.cache
def _theme(name: str) -> str:
    return (_package() / name).read_text(encoding="utf-8")


def _package() -> Path:
    """The theme's static files."""
    package = Path(importlib.util.find_spec("pydata_sphinx_theme").origin).parent
    return package / "theme" / "pydata_sphinx_theme" / "static"
