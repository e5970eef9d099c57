"""What a chapter gets without being written for it: its parameters as a table, and a card for each term of the glossary
where it is first used.
"""

from __future__ import annotations

import html
import re
from functools import cached_property

from docutils import nodes
from sphinx.transforms.post_transforms import SphinxPostTransform

from helpers import numbers, parameters
from helpers.book.sheet import GLOSSARY, link_to, sheet, table
from helpers.run.build import CHAPTERS

PLAIN = ("book/intro", GLOSSARY, "book/bibliography", "book/claims", "book/status")  # pages without cards
SKIPPED = {"code", "record", "control", "judge"}  # words that mean other things, too
NEVER = (
    nodes.title,
    nodes.reference,
    nodes.literal,
    nodes.math,
    nodes.footnote,
    nodes.citation,
    nodes.table,
    nodes.strong,
)
NOT_BEFORE = r"(?![\w\-–]| documents?\b)"


class Parameters(SphinxPostTransform):
    """A chapter's parameters cell as a table: name, value, limits, meaning. The notebook keeps the cell."""

    default_priority = 2  # while the code is still a node of its own

    def run(self, **kwargs) -> None:
        found = sheet(self.env.app)
        name = self.env.docname.rpartition("/")[2]
        source = found.root / "notebooks" / f"{name}.py"
        if self.env.docname != f"{CHAPTERS.as_posix()}/{name}" or not source.is_file():
            return
        run = found.runs.get(name, {}).get("run") or {}
        for cell in list(self.document.findall(nodes.container)):
            if "tag_parameters" in cell["classes"]:
                known = parameters.of_notebook(source)
                cell.replace_self(nodes.raw("", parameter_table(known, run.get("parameters") or {}), format="html"))


def parameter_table(known: dict[str, parameters.Parameter], given: dict) -> str:
    """A row a parameter, with the value that this page's run had."""
    rows = []
    for p in known.values():
        value = given.get(p.name, p.default)
        cells = (f"<code>{p.name}</code>", _value(value), _limits(p), html.escape(numbers.tidy(_meaning(p.help))))
        rows.append("<tr>" + "".join(f"<td>{c}</td>" for c in cells) + "</tr>")
    return table("parameters", ("parameter", "value", "limits", "meaning"), rows)


def _value(value: object) -> str:
    return "<i>the profile's</i>" if value is None else f"<code>{html.escape(str(value) or '(empty)')}</code>"


def _limits(p: parameters.Parameter) -> str:
    """'2 … 64', 'quick, full': what a parameter is held to, for people."""
    text = ", ".join(p.choices) if p.choices else p.limits.replace("..", f"{numbers.NBSP}…{numbers.NBSP}")
    return html.escape(numbers.tidy(text))


def _meaning(text: str) -> str:
    """A comment without the sentence that the table's value column tells already."""
    return text.replace("; None takes the profile's own", "")


class Spaces(SphinxPostTransform):
    """A number keeps its per cent sign on its line, in prose and in tables."""

    default_priority = 950  # after everything that puts words into the page

    def run(self, **kwargs) -> None:
        for node in list(self.document.findall(nodes.Text)):
            text = node.astext()
            if " %" in text and isinstance(node.parent, nodes.raw):
                if "<script" not in text:
                    node.parent.replace_self(nodes.raw("", _held(text), format="html"))
            elif " %" in text and not _inside(node, (nodes.literal, nodes.literal_block, nodes.math, nodes.math_block)):
                node.parent.replace(node, nodes.Text(_held(text)))


class Terms(SphinxPostTransform):
    """The first use of each glossary term on a page links to the glossary, and opens a card with its meaning."""

    default_priority = 880  # before the badges' cards, after everything is text

    @cached_property
    def glossary(self) -> dict[str, tuple[str, str]]:
        """{term: (anchor, meaning)}, the longest first, so that 'effect size' is found before a term within it."""
        found = {}
        if GLOSSARY in self.env.found_docs:
            for item in self.env.get_doctree(GLOSSARY).findall(nodes.definition_list_item):
                meaning = item[-1].astext()
                for term in item.findall(nodes.term):
                    found[term.astext()] = (term["ids"][0], meaning)
        return dict(sorted(found.items(), key=lambda pair: -len(pair[0])))

    def run(self, **kwargs) -> None:
        page = self.env.docname
        if page in PLAIN or not page.startswith("book/"):
            return
        self.env.note_dependency(self.env.doc2path(GLOSSARY))
        left = {t: v for t, v in self.glossary.items() if t not in SKIPPED}
        cards = []
        for paragraph in self.document.findall(nodes.paragraph):
            if _inside(paragraph, NEVER):
                continue
            for text in [t for t in paragraph.findall(nodes.Text) if not _inside(t, NEVER)]:
                found = first(text.astext(), left)
                if found:
                    cards += self._link(text, found, left)
        if cards:
            self.document.append(nodes.raw("", "".join(cards), format="html"))

    def _link(self, text: nodes.Text, found: list[tuple[int, int, str]], left: dict) -> list[str]:
        """Put links into a text, and take their terms out of what is left. Returns their cards."""
        words, pieces, at, cards = text.astext(), [], 0, []
        for start, end, term in found:
            anchor, meaning = left.pop(term)
            href = link_to(self.env, GLOSSARY, anchor)
            shown = html.escape(words[start:end])
            link = f'<a class="term" href="{href}" aria-describedby="card-{anchor}">{shown}</a>'
            pieces += [nodes.Text(words[at:start]), nodes.raw("", link, format="html")]
            cards.append(
                f'<div role="note" id="card-{anchor}" class="card-of" popover="auto" aria-label="{html.escape(term)}"><p>'
                f"<b>{html.escape(term)}</b> {html.escape(meaning)}</p></div>"
            )
            at = end
        pieces.append(nodes.Text(words[at:]))
        text.parent.replace(text, [p for p in pieces if p.astext()])
        return cards


def _held(text: str) -> str:
    return re.sub(r"(?<=\d) (?=%)", numbers.NBSP, text)


def first(text: str, terms: dict) -> list[tuple[int, int, str]]:
    """Where terms are first used in a text, in order, none within another: (start, end, term)."""
    found = []
    for term in terms:
        plural = "" if term.endswith("s") else "(?:s|es)?"
        match = re.search(rf"(?<![\w\-–]){re.escape(term)}{plural}{NOT_BEFORE}", text, re.IGNORECASE)
        if match and all(match.end() <= a or match.start() >= b for a, b, _ in found):
            found.append((match.start(), match.end(), term))
    return sorted(found)


def _inside(node: nodes.Node, kinds: tuple) -> bool:
    parent = node.parent
    while parent is not None:
        if isinstance(parent, kinds):
            return True
        parent = parent.parent
    return False


def setup(app) -> None:
    app.add_post_transform(Parameters)
    app.add_post_transform(Spaces)
    app.add_post_transform(Terms)
