"""Numbers in the prose: the committed one is read, this build's stands in a card and in the table at the foot of the page."""

from types import SimpleNamespace

import pytest
from docutils import nodes
from docutils.frontend import get_default_settings
from docutils.utils import new_document

from helpers import prose
from helpers.book import spoken


@pytest.fixture
def page():
    """A chapter's document with one sentence of two numbers, one of which this build does not confirm."""
    document = new_document("page", get_default_settings())
    sentence = nodes.paragraph()
    sentence += nodes.Text("The loss is ")
    sentence += nodes.inline("", prose.number([1.0, 1.1, 1.2], "", "nats", [2.0, 2.1, 2.2]))
    sentence += nodes.Text(" and the gap ")
    sentence += nodes.inline("", prose.number([1.0, 3.0], "", "", [2.0, 2.1, 2.2]))
    sentence += nodes.Text(".")
    document += sentence
    transform = spoken.Spoken(document)
    document.settings.env = SimpleNamespace(docname="book/chapters/one")
    transform.run()
    return document


def test_the_committed_number_is_read_and_the_other_is_in_a_card(page):
    read = page[0].astext()
    assert "2.10\u00a0±\u00a00.25" in read
    assert "1.10" not in read
    assert read.count("≠") == 1
    cards = page[1].astext()
    assert cards.count('popover="auto"') == 2
    assert "this run 1.10" in cards


def test_the_table_says_which_numbers_do_not_meet(page):
    table = page[2].astext()
    assert "(1 of 2 do not meet)" in table
    assert "<td>The loss is …</td>" in table
    assert "nats and the gap …</td>" in table
    assert prose.ASIDE not in page.astext()
