"""Pages without what they carry and none uses: of the theme's icons, scripts and styles, what a page needs and no more.

Icons become drawings in the page, in place of a script of 1.5 MB that holds two thousand of them. The few that a style
sheet puts beside a title or a link stay signs of a font, which is cut to them.
"""

from __future__ import annotations

import functools
import importlib.util
import re
from pathlib import Path

from fontTools import subset
from fontTools.ttLib import TTFont

ICON = re.compile(r'<i ((?:[^>"]|"[^"]*")*class="[^"]*\bfa-[^"]*"(?:[^>"]|"[^"]*")*)>\s*</i>')
SCRIPT = r'\s*<(?:script|link)\b[^>]*(?:src|href)="[^"]*\b({})\b[^"]*"[^>]*>(?:</script>)?'
DRAWN = "fontawesome\\.js"  # files whose work is done when the book is built
SEARCH = "searchtools\\.js|language_data\\.js|searchindex\\.js"
DESIGN = "sphinx-design\\.min\\.css|design-tabs\\.js"
WRONG = {  # what the theme and the bibliography say of an element, and a reader with a screen reader should not hear
    '<summary aria-label="Toggle hidden content">': "<summary>",  # its text says what it shows
    ' title="Search" aria-label="Search" data-bs': ' title="Search" data-bs',  # the same, with its key
    '<div role="list" class="citation-list">': '<div class="citation-list">',
    ' role="doc-biblioentry"': "",  # an entry of such a list, which may hold nothing else
}
RULE = re.compile(r"(?<=\})(?:\.fa-[\w-]+:before,?)+\{content:[^}]*\}")
FIRST = {"far", "fa-regular", "fab", "fa-brands"}
KINDS = FIRST | {"fa", "fas", "fa-solid"}
SIZES = {"lg", "xs", "sm", "xl", "fw", "2x"}  # endings that name no icon
STATIC, FONTS, SHEET = "_static", "vendor/fontawesome/webfonts", "styles/pydata-sphinx-theme.css"


def page(markup: str, name: str) -> str:
    """A page with its icons drawn, without wrong roles and names, and without files that it does not use. name: its file's."""
    unused = [DRAWN] + [SEARCH] * (name != "search.html") + [DESIGN] * (not re.search(r'class="[^"]*\bsd-', markup))
    for wrong, right in WRONG.items():
        markup = markup.replace(wrong, right)
    drawn: set[str] = set()
    markup = ICON.sub(lambda m: _drawing(m[1], drawn) or m[0], markup)
    return re.sub(SCRIPT.format("|".join(unused)), "", markup)


def trim(app, exception) -> None:
    """Trim every page that was written, and the theme's files to what the pages use."""
    if exception or app.builder.format != "html":
        return
    folder = Path(app.outdir)
    for path in folder.rglob("*.html"):
        before = path.read_text(encoding="utf-8")
        if (after := page(before, path.name)) != before:
            path.write_text(after, encoding="utf-8")
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
    app.connect("build-finished", trim)


def _subset(font: Path, target: Path, sheets: str) -> None:
    """A font with the signs that style sheets ask for, of the range that no script of the world uses."""
    signs = [ord(sign) for sign in set(re.findall("[\ue000-\uf8ff]", sheets))]
    signs += [int(code, 16) for code in re.findall(r'"\\([ef][0-9a-f]{3})"', sheets)]
    cut = subset.Subsetter(subset.Options(notdef_outline=False, layout_features=[], drop_tables=["FFTM", "GSUB"]))
    with TTFont(font, recalcTimestamp=False) as found:
        cut.populate(unicodes=signs)
        cut.subset(found)
        found.save(target)


def _drawing(attributes: str, drawn: set[str]) -> str | None:
    """One icon, whose outline stands in a page once; None when the theme has no such one. drawn: those that do stand there."""
    classes = re.search(r'class="([^"]*)"', attributes)[1].split()
    name = next((c[3:] for c in classes if c.startswith("fa-") and c not in KINDS and c[3:] not in SIZES), "")
    shapes = _shapes(name)
    if not shapes:
        return None
    first = bool(FIRST & set(classes))
    width, height, path = shapes[0 if first else -1]
    known = f"icon-{name}{'-first' if first else ''}"
    outline = (
        f'<use href="#{known}"></use>'
        if known in drawn
        else f'<path id="{known}" fill="currentColor" d="{path}"></path>'
    )
    drawn.add(known)
    kept = " ".join(["svg-inline--fa", *(c for c in classes if c not in KINDS)])
    data = "".join(f" {d}" for d in re.findall(r'data-[\w-]+="[^"]*"', attributes))
    return (
        f'<svg class="{kept}"{data} aria-hidden="true" focusable="false" viewBox="0 0 {width} {height}">{outline}</svg>'
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
