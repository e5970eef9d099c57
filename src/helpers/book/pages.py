"""Every page as it is written: nothing from a network, no script twice, tables that fit a phone, parts to come."""

from __future__ import annotations

import html
import re

from helpers.book.sheet import Sheet, sheet

CAPTION = re.compile(r'(<p\b[^>]*class="caption"[^>]*><span class="caption-text">(.*?)</span></p>)', re.S)
TABLE = re.compile(r"<table\b(?![^>]*data-at=)([^>]*)>(.*?)</table>", re.S)
HEAD = re.compile(r"<thead\b.*?</thead>", re.S)
TITLE = re.compile(r"<th\b[^>]*>(.*?)</th>", re.S)
LINE = re.compile(r"(<tr\b[^>]*>)(.*?)(</tr>)", re.S)
CELL = re.compile(r"<(td|th)\b([^>]*)>(.*?)</\1>", re.S)
NUMBER = re.compile(
    r"^[−\-+<> \u00a0]*[\d.,]+(?:\u00a0?(?:[%±×\[\]]|[a-z]{1,4}\b|[−\d., ⁻⁰¹²³⁴⁵⁶⁷⁸⁹\u00a0±×\[\]∞–]))*$"
)


def repair(app, pagename, templatename, context, doctree) -> None:
    """Drop thebe (it is fetched from a CDN) and double inline scripts."""
    seen, kept = set(), []
    for script in context.get("script_files", []):
        body = (getattr(script, "attributes", None) or {}).get("body") or ""
        name = str(getattr(script, "filename", script) or "")
        if "thebe" in name.lower() or "THEBE" in body or (body and body in seen):
            continue
        seen.add(body)
        kept.append(script)
    context["script_files"] = kept


def add_shell(app, pagename, templatename, context, doctree) -> None:
    """The look and the cards of every page; its tables get their columns' names into every cell."""
    app.add_css_file("shell.css")
    app.add_js_file("shell.js", loading_method="defer")
    if context.get("body"):
        context["body"] = TABLE.sub(labelled, context["body"])


def announce(app, pagename, templatename, context, doctree) -> None:
    """Parts that have no chapter yet stand greyed in the sidebar, in their order."""
    make = context.get("generate_toctree_html")
    if not callable(make):
        return
    found = sheet(app)

    def with_parts(kind: str = "sidebar", *args, **given) -> str:
        return to_come(str(make(kind, *args, **given)), found) if kind == "sidebar" else make(kind, *args, **given)

    context["generate_toctree_html"] = with_parts


def to_come(sidebar: str, found: Sheet) -> str:
    """A sidebar with a greyed caption for each part that it lacks, before the next part that it has, or the appendices."""
    captions = CAPTION.findall(sidebar)
    places = dict(zip((html.unescape(name) for _, name in captions), (whole for whole, _ in captions), strict=True))
    titles = [p["title"] for p in found.parts]
    last = [name for name in places if name not in titles][-1:]  # what follows the parts
    waiting = []
    for title in [*titles, *last]:
        if title not in places:
            waiting.append(
                f'<p class="caption part-to-come"><span class="caption-text">{html.escape(title)} (to come)</span></p>'
            )
        elif waiting:
            sidebar = sidebar.replace(places[title], "".join(waiting) + places[title], 1)
            waiting = []
    return sidebar


def labelled(found: re.Match) -> str:
    """A table whose cells know their column's name, which is what a phone shows beside them; numbers stand to the right."""
    head = HEAD.search(found[2])
    if not head:
        return found[0]
    names = [html.escape(html.unescape(re.sub(r"<[^>]+>", "", t)).strip(), quote=True) for t in TITLE.findall(head[0])]
    body = found[2][head.end() :]
    rows = [[_text(c[2]) for c in CELL.findall(line[1])] for line in LINE.findall(body)]
    whole = [r for r in rows if len(r) == len(names)]
    right = {
        i for i in range(len(names)) if (column := [r[i] for r in whole if r[i] not in ("", "–")]) and _numbers(column)
    }
    lines = LINE.sub(lambda m: m[1] + _cells(m[2], names, right) + m[3], body)
    heads = iter(range(len(names)))
    top = re.sub(
        r"<th\b", lambda m: '<th class="num"' if next(heads) in right and "class=" not in head[0] else m[0], head[0]
    )
    kind = (
        found[1].replace('class="', 'class="labelled ', 1) if 'class="' in found[1] else f'{found[1]} class="labelled"'
    )
    return f"<table{kind}>{found[2][: head.start()]}{top}{lines}</table>"


def _cells(line: str, names: list[str], right: set[int]) -> str:
    if len(CELL.findall(line)) != len(names):  # a heading of several rows
        return line
    count = iter(range(len(names)))

    def told(m: re.Match) -> str:
        i = next(count)
        label = f' data-label="{names[i]}"' if m[1] == "td" else ""
        kind = ' class="num"' if i in right and "class=" not in m[2] else ""
        return f"<{m[1]}{kind}{label}{m[2]}>{m[3]}</{m[1]}>"

    return CELL.sub(told, line)


def _numbers(column: list[str]) -> bool:
    return all(NUMBER.match(text) for text in column)


def _text(markup: str) -> str:
    return html.unescape(re.sub(r"<[^>]+>", "", markup)).strip()


def setup(app) -> None:
    app.connect("html-page-context", add_shell, priority=500)
    app.connect("html-page-context", announce, priority=800)
    app.connect("html-page-context", repair, priority=900)
