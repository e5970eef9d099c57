"""Pages as they are written: tables that know their columns, parts to come, parameters, terms, texts for the search."""

import re

import pytest
from docutils import nodes

from helpers import numbers, parameters
from helpers.book import pages, reading, search, sheet

TABLE = (
    '<table class="data"><thead><tr><th>name</th><th>loss & more</th></tr></thead>'
    "<tbody><tr><td>a</td><td>−0.50</td></tr><tr><td>b <b>c</b></td><td>1.25</td></tr></tbody></table>"
)


def labelled(text):
    return pages.TABLE.sub(pages.labelled, text)


def test_a_table_tells_each_cell_its_column_and_sets_numbers_right():
    shown = labelled(f"<p>x</p>{TABLE}")
    assert 'class="labelled data"' in shown
    assert shown.count('data-label="name"') == 2
    assert '<td class="num" data-label="loss &amp; more">−0.50</td>' in shown
    assert '<th class="num">loss & more</th>' in shown
    assert "<b>c</b>" in shown


@pytest.mark.parametrize("cell", ["1.2 × 3 a word", "D1", "2026-11-25", "yes", ""])
def test_a_column_that_is_not_all_numbers_stays_left(cell):
    assert 'class="num"' not in labelled(TABLE.replace("1.25", cell).replace("−0.50", "word"))


@pytest.mark.parametrize(
    "cell", ["0.41", "−3", f"0.058{numbers.PM}0.050", f"40{numbers.NBSP}%", f"12{numbers.NBSP}s", "10.7 [9.1, 12.3]"]
)
def test_numbers_with_spread_unit_or_interval_are_numbers(cell):
    assert pages.NUMBER.match(cell)


def test_tables_of_texts_and_headings_over_several_columns_stay_as_they_are():
    assert labelled(TABLE.replace("<table", '<table data-at="40%"')).count("data-label") == 0
    group = TABLE.replace("<tbody>", '<tbody><tr><th colspan="2">part</th></tr>')
    assert '<tr><th colspan="2">part</th></tr>' in labelled(group)


def test_the_sidebar_names_the_parts_that_are_to_come_in_their_place(root):
    caption = '<p aria-level="2" class="caption" role="heading"><span class="caption-text">{}</span></p><ul></ul>'
    found = sheet.Sheet(root)
    first, last = found.parts[0]["title"], found.parts[-1]["title"]
    shown = pages.to_come("".join(caption.format(t) for t in ("Read first", first, last, "Appendices")), found)
    names = [re.sub(r" \(to come\)$", "", n) for n in re.findall(r'caption-text">(.*?)</span>', shown)]
    assert names == ["Read first", *(p["title"] for p in found.parts), "Appendices"]
    assert shown.count("part-to-come") == len(found.parts) - 2
    only = pages.to_come("".join(caption.format(t) for t in (first, "Appendices")), found)
    assert only.index(last) < only.index("Appendices")


def test_parameters_become_a_table_with_this_runs_values():
    known = {
        "seeds": parameters.Parameter(
            "seeds", "int", None, "repetitions; None takes the profile's own", low=2, high=64
        ),
        "text": parameters.Parameter("text", "str", "a", "what is <read>", choices=("a", "PATH")),
    }
    shown = reading.parameter_table(known, {"text": "b.txt"})
    assert "the profile's</i>" in shown
    assert f"2{numbers.NBSP}…{numbers.NBSP}64" in shown
    assert "repetitions</td>" in shown
    assert "<code>b.txt</code>" in shown
    assert "what is &lt;read&gt;" in shown


def test_the_first_use_of_a_term_is_found_whole_words_plurals_and_the_longest_first():
    terms = dict.fromkeys(("reference run", "seed", "nat", "arm"))
    text = "Each seed document has arms; an alarm is no arm. The reference runs took seeds and 2 nats."
    found = [(text[a:b], term) for a, b, term in reading.first(text, terms)]
    assert found == [("arms", "arm"), ("reference runs", "reference run"), ("seeds", "seed"), ("nats", "nat")]


def test_a_pages_texts_lie_under_their_sections_anchors():
    page = nodes.document(None, None)
    inner = nodes.section("", nodes.title("", "Inner"), nodes.paragraph("", "deep  words"), ids=["inner"])
    page += nodes.section("", nodes.title("", "Top"), nodes.paragraph("", "first words"), inner, ids=["top"])
    assert search.texts(page) == {"top": ["Top", "first words"], "inner": ["Inner", "deep words"]}


def test_every_claim_is_an_entry_of_the_index(root):
    found = sheet.Sheet(root)
    (node,) = [search.claim_entries(found)]
    assert {(e[1], e[2]) for e in node["entries"]} == {(name, name) for name in found.claims}


def test_every_reference_of_the_bibliography_is_cited(root):
    keys = set(re.findall(r"^@\w+\{([^,]+),", (root / "book" / "references.bib").read_text(), re.M))
    sources = [*(root / "book").glob("*.md"), *(root / "notebooks").glob("*.py")]
    cited = {
        key.strip()
        for path in sources
        for group in re.findall(r"cite(?::\w+)?\}`([^`]+)`", path.read_text())
        for key in group.split(",")
    }
    assert keys == cited
