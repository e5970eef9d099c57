"""The Sphinx extension piece by piece; whole pages are looked at in tests/browser."""

import json
import re
from types import SimpleNamespace

from docutils import nodes

from helpers.book import badges, pages, plots
from helpers.figures import MIME


def figure(**layout):
    content = {"data": [{"type": "scatter", "y": [1, 2], "name": "a</script><b>"}], "layout": layout}
    return SimpleNamespace(mime_type=MIME, content=content)


def test_a_figure_becomes_a_box_that_keeps_its_data_and_closes_no_script():
    (node,) = plots.PlotlyMime.handle_mime(None, figure(height=300, meta={"alt": 'What "it" shows'}), False)
    text = node.astext()
    assert text.count("</script>") == 1
    spec = json.loads(re.search(r'<script type="application/json">(.*)</script>', text, re.S)[1])
    assert spec["data"][0]["name"] == "a</script><b>"
    assert 'aria-label="What &quot;it&quot; shows"' in text
    assert "min-height:300px" in text


def test_without_a_caption_the_title_describes_a_figure():
    (node,) = plots.PlotlyMime.handle_mime(None, figure(title={"text": "Loss & width"}), False)
    assert 'aria-label="Loss &amp; width"' in node.astext()


def test_other_outputs_are_left_to_myst_nb():
    other = SimpleNamespace(mime_type="image/png", content="")
    assert plots.PlotlyMime.handle_mime(None, other, False) is None
    assert plots.PlotlyMime.handle_mime(None, figure(), True) is None


def test_plotly_goes_only_to_pages_with_a_figure():
    added = []
    app = SimpleNamespace(add_css_file=lambda *a, **k: None, add_js_file=lambda name, **k: added.append(name))
    plain = nodes.document(None, None)
    context = {}
    plots.add_scripts(app, "a", "page.html", context, plain)
    assert added == []
    assert "metatags" not in context
    plain += nodes.raw("", "", format="html", classes=["plotly"])
    plots.add_scripts(app, "a", "page.html", context, plain)
    assert added == ["plotly.min.js", "figures.js"]
    assert "noscript" in context["metatags"]


def test_nothing_is_loaded_twice_and_nothing_from_a_network():
    script = lambda body="", name="": SimpleNamespace(filename=name, attributes={"body": body})  # noqa: E731
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
    for piece in ("quick profile", "61 s", "a CPU", "torch 2.13.0", "text=&lt;x&gt;", "key abc", "commit fee1", "older"):
        assert piece in text
    assert "seeds" not in text
    assert "older" not in badges.footer({"run": run, "fresh": True})
    assert "No run" in badges.footer({"run": None, "fresh": False})
