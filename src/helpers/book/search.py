"""The search page: titles and claims first, and a line of text under each result, also from disk, where a page may not
fetch another: every page's texts lie in a small script of their own that is loaded when the page is among the results.
"""

from __future__ import annotations

import html
import json
import re
from pathlib import Path

from docutils import nodes
from sphinx import addnodes

from helpers.book.sheet import GLOSSARY, LEDGER, Sheet, sheet

FOLDER = "texts"
SCORER = Path(__file__).parent / "assets" / "scorer.js"


def claim_entries(found: Sheet) -> nodes.Node:
    """Index entries for the claims' ids, which the search finds before anything else."""
    entries = [("single", name, name, "main", None) for name in found.claims]
    return addnodes.index(entries=entries)


def texts(doctree: nodes.document) -> dict[str, list[str]]:
    """{anchor: [title, prose]} of a page's sections, without code, cards and figures."""
    found = {}
    for section in doctree.findall(nodes.section):
        said = []
        for node in section.children:
            if isinstance(node, nodes.section):
                continue
            said += [p.astext() for p in node.findall(nodes.paragraph)]
        if section["ids"]:
            found[section["ids"][0]] = [section.next_node(nodes.title).astext(), " ".join(" ".join(said).split())]
    return found


def claims_of(page: str, found: Sheet) -> dict[str, list[str]]:
    """The ledger's rows, as texts under the claims' anchors."""
    if page != LEDGER:
        return {}
    return {
        name: [f"{name} {c.claim}", f"{found.verdict(name)['verdict']}. {c.precise.text}"]
        for name, c in found.claims.items()
    }


def write_texts(app, pagename, templatename, context, doctree) -> None:
    """Write a page's texts beside it, and give the search page its script."""
    if pagename == "search":
        app.add_js_file("search.js", priority=300)
    if doctree is None or app.builder.name != "html":
        return
    known = {k: [_plain(v) for v in pair] for k, pair in (texts(doctree) | claims_of(pagename, sheet(app))).items()}
    path = Path(app.outdir) / "_static" / FOLDER / f"{pagename}.js"
    path.parent.mkdir(parents=True, exist_ok=True)
    body = json.dumps(known, ensure_ascii=False, separators=(",", ":"))
    path.write_text(f"bookTexts({json.dumps(pagename)},{body});\n", encoding="utf-8")


def configure(app, config) -> None:
    """The scores of titles, and no fetching of whole pages for a line of each."""
    config.html_search_scorer = str(SCORER)
    config.html_show_search_summary = False


def always(app, env, added, changed, removed) -> list[str]:
    """Pages with entries of the index are read anew by every build: Sphinx forgets the entries of pages that did not change."""
    return sorted({LEDGER, GLOSSARY} & env.found_docs)


def setup(app) -> None:
    app.connect("config-inited", configure)
    app.connect("env-get-outdated", always)
    app.connect("html-page-context", write_texts)


def _plain(text: str) -> str:
    return html.unescape(re.sub(r"</?[a-zA-Z][^>]*>", "", text))
