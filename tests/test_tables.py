from html.parser import HTMLParser

import pandas as pd
import pytest

from helpers import figures


class Tags(HTMLParser):
    """A table of texts as it is read: the cells of every position, the hidden ones, the slider, tags that were opened."""

    def __init__(self, output):
        super().__init__()
        self.pages, self.hidden, self.slider, self.opened, self.within = [], [], {}, set(), []
        self.feed(output.bundle["text/html"])

    def handle_starttag(self, tag, attributes):
        self.opened.add(tag)
        self.within.append(tag)
        if tag == "table":
            self.pages.append([])
            self.hidden.append("hidden" in dict(attributes))
        if tag in ("td", "th"):
            self.pages[-1].append("")
        if tag == "input":
            self.slider = dict(attributes)

    def handle_data(self, data):
        if self.pages and self.within[-1] in ("td", "th"):
            self.pages[-1][-1] += data

    def handle_endtag(self, tag):
        while self.within and self.within.pop() != tag:
            pass


SAID = pd.DataFrame(
    [
        {"name": "z", "kept": 0.1 + 0.2, "text": '<b>Tim</b> & "Sue"'},
        {"name": "g", "kept": 0.3, "text": "a\nb"},
        {"name": "z", "kept": 0.025, "text": " "},
        {"name": "g", "kept": 0.025, "text": None},
        {"name": "unwanted", "kept": 0.9, "text": "no"},
    ]
)
NAMES = {"g": "guided <b>", "z": "zero"}


def test_texts_are_a_table_a_position():
    seen = Tags(figures.texts(SAID, NAMES, prompt="One <day>", caption="1 < 2"))
    assert seen.hidden == [True, False]
    assert seen.pages[0][2:] == ["guided <b>", "–", "zero", "(nothing)"]
    assert seen.pages[1][:2] == ["stored as", "after “One <day>” the model writes"]
    assert seen.pages[1][2:] == ["guided <b>", "a\nb", "zero", '<b>Tim</b> & "Sue"']
    assert (seen.slider["type"], seen.slider["max"], seen.slider["value"]) == ("range", "1", "1")
    assert seen.slider["aria-valuetext"] == "30%"
    assert not seen.opened & {"b", "day", "script"}


def test_texts_start_where_they_are_asked_to():
    seen = Tags(figures.texts(SAID, NAMES, start=0, format="{:.3f}"))
    assert seen.hidden == [False, True]
    assert seen.slider["aria-valuetext"] == "0.025"
    assert figures.texts(SAID, NAMES, start=0).bundle["text/plain"].splitlines()[-1] == "zero: (nothing)"


def test_texts_of_one_position_have_no_slider():
    seen = Tags(figures.texts(SAID[SAID["kept"] > 0.1], NAMES))
    assert seen.hidden == [False]
    assert not seen.slider


@pytest.mark.parametrize("rows", [pd.DataFrame(), SAID.iloc[:0], SAID.iloc[3:4]])
def test_texts_of_a_run_that_wrote_none_say_so(rows):
    output = figures.texts(rows, NAMES)
    assert "No text was written" in output.bundle["text/html"]
    assert not Tags(output).pages


def test_a_cell_has_one_text():
    with pytest.raises(ValueError, match=r"2 texts for name='z' at kept=30%, expected one"):
        figures.texts(pd.concat([SAID, SAID.iloc[:1]]), NAMES)
