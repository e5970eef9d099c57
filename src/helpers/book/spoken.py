"""The numbers that a chapter says: the committed one in the sentence, this build's in a card, both in a table at the end."""

from __future__ import annotations

import html
import re
from pathlib import Path

from docutils import nodes
from sphinx.transforms.post_transforms import SphinxPostTransform

from helpers import numbers, prose
from helpers.book.sheet import table
from helpers.run.build import CHAPTERS

NUMBER = re.compile(f"([^{prose.ASIDE}]*){prose.ASIDE}([^{prose.ASIDE}]*){prose.ASIDE}")
BEFORE = 64  # characters of a sentence that say in the table what a number is


class Spoken(SphinxPostTransform):
    """Every number with something to say aside becomes a word with a card; a chapter's come together in a table at its foot."""

    default_priority = 7  # after myst-nb has put its texts in (5), before terms and badges

    def run(self, **kwargs) -> None:
        rows, cards = [], []
        said = [(text, _words(text)) for text in self.document.findall(nodes.Text) if prose.ASIDE in text]
        for text, words in said:  # all words first: a number that is put in is no text any more
            pieces = []
            for shown, aside in NUMBER.findall(text.astext()):
                name = f"card-number-{len(cards)}"
                rows.append((words, shown, aside))
                cards.append(
                    f'<div role="note" id="{name}" class="card-of" popover="auto"><p>{html.escape(aside)}</p></div>'
                )
                pieces.append(nodes.raw("", _marked(shown, name), format="html"))
            rest = NUMBER.sub("", text.astext())
            text.parent.replace(text, [*pieces, nodes.Text(rest)] if rest else pieces)
        if cards:
            self.document.append(nodes.raw("", "".join(cards), format="html"))
            if Path(self.env.docname).parent == CHAPTERS:
                self.document.append(nodes.raw("", _table(rows), format="html"))


def _marked(shown: str, card: str) -> str:
    """A number in its sentence: no stop of the keyboard's, which finds the table, but a card for a pointer and a finger."""
    value, mark, _ = shown.partition(f"{numbers.NBSP}{prose.APART}")
    sign = f'<sup title="this run differs">{prose.APART}</sup>' if mark else ""
    return f'<span class="number" aria-describedby="{card}">{html.escape(value)}{sign}</span>'


def _words(text: nodes.Text) -> str:
    """The end of what a sentence says before one of its numbers."""
    block = text.parent
    while block.parent is not None and not isinstance(block, (nodes.paragraph, nodes.list_item, nodes.section)):
        block = block.parent
    told = ""
    for node in block.findall(nodes.Text):
        if node is text:
            break
        told += node.astext() if node.parent is not None else ""
    told = " ".join(NUMBER.sub(r"\1", told).replace(f"{numbers.NBSP}{prose.APART}", "").split())
    if len(told) <= BEFORE:
        return f"{told} …"
    return f"… {told[-BEFORE:].partition(' ')[2]} …"


def _table(rows: list[tuple[str, str, str]]) -> str:
    """What the page says, number by number: the committed run's value, and what this build found."""
    cells, apart, both = [], 0, 0
    for words, shown, aside in rows:
        value, mark, _ = shown.partition(f"{numbers.NBSP}{prose.APART}")
        units, _, here = aside.partition("; ")
        apart, both = apart + bool(mark), both + here.startswith("this run ")
        said = [
            words,
            f"{value} ({units.partition(', ')[2]})",
            here.removeprefix("this run ") or numbers.NONE,
            mark.strip(),
        ]
        cells.append("<tr>" + "".join(f"<td>{html.escape(c)}</td>" for c in said) + "</tr>")
    told = "Numbers of this page: the committed run's, and this build's"
    told += f" ({apart} of {both} do not meet)" if both else ""
    head = ("in the sentence", "committed run", "this build", "")
    return f'<details class="spoken"><summary>{told}</summary>{table("spoken", head, cells)}</details>'


def setup(app) -> None:
    app.add_post_transform(Spoken)
