"""The Sphinx extension piece by piece; whole pages are looked at in tests/browser."""

import hashlib
import json
import re
from types import SimpleNamespace

import pytest
from docutils import nodes
from docutils.frontend import get_default_settings
from docutils.utils import new_document
from plotly.offline import get_plotlyjs_version

from helpers.book import badges, formulas, lean, pages, plots
from helpers.figures import MIME

CARTESIAN = "79542150855a52c567260e3137095dbe2b744e6d702a5cabe67da246942fba7a"  # sha256 of the bundle as published


def figure(kind="scatter", **layout):
    content = {"data": [{"type": kind, "x": [0, 1], "y": [1, 2], "name": "a</script><b>"}], "layout": layout}
    return SimpleNamespace(mime_type=MIME, content=content)


@pytest.fixture
def renderer():
    """Keeps the files that myst-nb would write."""
    kept = {}
    return SimpleNamespace(files=kept, write_file=lambda path, data, **k: kept.update({path[-1]: data}) or path[-1])


def test_a_figure_becomes_a_box_that_keeps_its_data_and_closes_no_script(renderer):
    title = {"text": 'What "it" shows'}
    box, image = plots.PlotlyMime.handle_mime(renderer, figure(height=300, title=title), False)
    text = box.astext()
    assert text.count("</script>") == 1
    spec = json.loads(re.search(r'<script type="application/json">(.*)</script>', text, re.S)[1])
    assert spec["data"][0]["name"] == "a</script><b>"
    assert 'role="figure" aria-label="What &quot;it&quot; shows"' in text
    assert "min-height:300px" in text
    assert renderer.files[image["uri"]].startswith(b"<svg")


def test_a_figure_that_cannot_be_drawn_says_so_and_has_no_picture(renderer):
    (box,) = plots.PlotlyMime.handle_mime(renderer, figure("scatter3d", meta={"alt": "Up & down."}), False)
    assert "plotly-fallback" in box.astext()
    assert "Up &amp; down." in box.astext()
    assert not renderer.files


def test_without_a_title_the_caption_names_a_figure(renderer):
    box, _ = plots.PlotlyMime.handle_mime(renderer, figure(meta={"alt": "Loss & width"}), False)
    assert 'aria-label="Loss &amp; width"' in box.astext()


def test_other_outputs_are_left_to_myst_nb(renderer):
    other = SimpleNamespace(mime_type="image/png", content="")
    assert plots.PlotlyMime.handle_mime(renderer, other, False) is None
    assert plots.PlotlyMime.handle_mime(renderer, figure(), True) is None


def bundle(**outputs):
    """An output as myst-nb keeps it until it knows the builder."""
    parts = [nodes.container("", *found, mime_type=mime.replace("_", "/")) for mime, found in outputs.items()]
    return nodes.container("", *parts, nb_element="mime_bundle")


@pytest.mark.parametrize("png", [False, True])
def test_a_caption_describes_the_figure_above_it_and_a_png_is_preferred(png, renderer):
    made = plots.PlotlyMime.handle_mime(renderer, figure(), False)
    mine = bundle(**{MIME: made} | ({"image_png": [nodes.image(uri="a.png")]} if png else {}))
    text = nodes.raw("", '<p class="figcaption">Up.</p>', format="html")
    document = new_document("good", get_default_settings())
    document.settings.env = SimpleNamespace(docname="book/chapters/good")
    document += [mine, bundle(text_html=[text]), bundle(text_html=[text.deepcopy()])]
    twins = plots.Twins(document)
    twins.run()
    assert text.astext() == '<p class="figcaption" id="good-figure-0">Up.</p>'
    assert made[0].astext().count('aria-describedby="good-figure-0"') == 1
    assert "id=" not in document.children[2].astext()
    assert "has-static" in made[0]["classes"]
    images = list(mine.children[0].findall(nodes.image))
    assert [image["uri"].endswith(".png") for image in images] == [png]


@pytest.mark.parametrize(("kind", "script"), [("heatmap", plots.CARTESIAN), ("scatter3d", plots.FULL)])
def test_plotly_goes_only_to_pages_with_a_figure_and_as_much_as_they_need(kind, script, tmp_path):
    added = []
    app = SimpleNamespace(
        add_css_file=lambda *a, **k: None, add_js_file=lambda name, **k: added.append(name), outdir=tmp_path
    )
    plain = nodes.document(None, None)
    context = {}
    plots.add_scripts(app, "a", "page.html", context, plain)
    assert added == []
    assert "metatags" not in context
    plain += nodes.raw("", "", format="html", classes=["plotly"], kinds=["scatter", kind])
    plots.add_scripts(app, "a", "page.html", context, plain)
    assert added == [script, "controls.js", "figures.js"]
    assert "noscript" in context["metatags"]
    assert (tmp_path / "_static" / plots.FULL).is_file() == (script == plots.FULL)


def test_the_bundle_beside_the_code_is_the_published_one_and_of_the_wheel_s_version():
    found = (plots.ASSETS / plots.CARTESIAN).read_bytes()
    assert hashlib.sha256(found).hexdigest() == CARTESIAN
    assert f"plotly.js (cartesian - minified) v{get_plotlyjs_version()}\n".encode() in found[:200]
    named = set(re.findall(rb'moduleType:"trace",name:"(\w+)"', found))
    assert {name.decode() for name in named} == plots.IN_CARTESIAN


@pytest.mark.parametrize(
    ("latex", "pieces"),
    [
        (r"\sqrt f", ["<msqrt>", "<mi>f</mi>"]),
        (r"\mathrm{softmax}(x)_j", ["<mi>softmax</mi>", "<msub>"]),
        (r"p \log q", ["<mi>log</mi><mspace"]),
        (r"\langle A \rangle", ['<mo stretchy="false">&#x027E8;</mo>']),
    ],
)
def test_formulas_are_made_when_the_book_is_built(latex, pieces):
    markup = formulas.mathml(latex)
    assert all(piece in markup for piece in pieces)


@pytest.mark.parametrize("latex", [r"\nosuchthing x", r"\frac{", r"\begin{aligned}a&=b\end{aligned}"])
def test_a_formula_that_is_not_understood_stops_the_build(latex):
    with pytest.raises(ValueError, match="not understood"):
        formulas.mathml(latex)


def test_a_page_keeps_what_it_uses_and_no_more():
    head = (
        '<script defer src="_static/scripts/fontawesome.js?digest=1"></script><script src="searchindex.js"></script>'
        '<link href="_static/sphinx-design.min.css?v=1" /><script src="_static/doctools.js"></script>'
    )
    icon = '<i class="theme-switch fa-solid fa-moon fa-lg" data-mode="dark" title="Dark"></i>'
    text = lean.page(head + icon, "a.html")
    assert re.findall(r'(?:src|href)="([^"]+)"', text) == ["_static/doctools.js"]
    assert 'class="svg-inline--fa theme-switch fa-moon fa-lg" data-mode="dark"' in text
    assert re.search(r'<path id="icon-moon" fill="currentColor" d="M\d', text)
    twice = lean.page(icon + icon, "a.html")
    assert (twice.count("<path"), twice.count('<use href="#icon-moon">')) == (1, 1)
    kept = lean.page(head + '<div class="sd-card"></div>', "search.html")
    assert "searchindex.js" in kept
    assert "sphinx-design" in kept
    assert lean.page('<i class="fas fa-no-such-icon"></i>', "a.html") == '<i class="fas fa-no-such-icon"></i>'
    assert lean.page(text, "a.html") == text


def test_nothing_is_loaded_twice_and_nothing_from_a_network():
    script = lambda body="", name="": SimpleNamespace(filename=name, attributes={"body": body})
    context = {
        "script_files": [script("let a"), script("let a"), script(name="sphinx-thebe.js"), script("THEBE_JS_URL = 1")],
    }
    pages.repair(None, "p", "t", context, None)
    assert [s.attributes["body"] for s in context["script_files"]] == ["let a"]


def test_the_footer_says_what_a_page_ran_on():
    run = {
        "started": "2026-01-02T03:04:05+00:00",
        "seconds": 61.4,
        "key": "abc",
        "parameters": {"profile": "quick", "text": "<x>", "seeds": None},
        "provenance": {"device": "a CPU", "python": "3.11.2", "torch": "2.13.0", "commit": "fee1"},
    }
    text = badges.footer({"run": run, "fresh": False}).replace("\u00a0", " ")
    for piece in (
        "quick profile",
        "61 s",
        "a CPU",
        "torch 2.13.0",
        "text=&lt;x&gt;",
        "key abc",
        "commit fee1",
        "older",
    ):
        assert piece in text
    assert "seeds" not in text
    assert "older" not in badges.footer({"run": run, "fresh": True})
    assert "No run" in badges.footer({"run": None, "fresh": False})
