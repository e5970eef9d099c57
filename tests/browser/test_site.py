"""The built site in real headless Chromium: every page, over http and from disk, wide and narrow, light and dark.

Every host but this one is unreachable to the browser, and every request it makes is read from its performance log.
"""

import re
import time

import pytest
from browsing import FIGURES, PAGES, requests, visit
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select, WebDriverWait

from helpers import claims

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PROSE, CHAPTER = 160_000, 400_000  # bytes of a page, its icons included; the ledger grows with what is judged
POINT = """const gd = arguments[0], shown = t => t.visible === true && t.x && t.x.length > 2;
const trace = gd._fullData.find(shown), i = Math.floor(trace.x.length / 2);
return [gd._fullLayout.xaxis.d2p(trace.x[i]), gd._fullLayout.yaxis.d2p(trace.y[i])]"""  # pixels within the axes
COUNT = "return document.querySelectorAll('.plotly-fig').length"


@pytest.mark.parametrize("page", PAGES)
def test_a_page_asks_nobody_else_and_says_nothing_in_the_console(page, wide, address):
    visit(wide, f"{address}/{page}.html")
    asked = requests(wide)
    assert len(asked) > 3
    assert not [u for u in asked if not u.startswith((address, "data:", "blob:", "about:"))]
    assert not [e for e in wide.get_log("browser") if e["level"] in ("SEVERE", "WARNING")]


@pytest.mark.parametrize("page", PAGES)
def test_a_page_from_disk(page, wide, site):
    visit(wide, f"file://{site}/{page}.html")
    assert not [u for u in requests(wide) if not u.startswith(("file://", "data:", "blob:", "about:"))]
    assert not [e for e in wide.get_log("browser") if e["level"] == "SEVERE"]


@pytest.mark.parametrize("page", PAGES)
def test_a_page_fits_a_phone_and_the_dark(page, narrow, address):
    visit(narrow, f"{address}/{page}.html")
    for theme in ("light", "dark"):
        narrow.execute_script("document.documentElement.dataset.theme = arguments[0]", theme)
        assert narrow.execute_script("return document.documentElement.scrollWidth") <= 390
    assert not [e for e in narrow.get_log("browser") if e["level"] == "SEVERE"]


@pytest.mark.parametrize("page", PAGES)
def test_page_weights(page, site):
    assert (site / f"{page}.html").stat().st_size <= (CHAPTER if "/chapters/" in page else PROSE)


@pytest.mark.parametrize("name", FIGURES)
def test_all_figures_are_alive(name, wide, address):
    assert len(visit(wide, f"{address}/book/chapters/{name}.html")) >= FIGURES[name]
    plots = wide.find_elements(By.CSS_SELECTOR, ".plotly-fig .js-plotly-plot")
    assert len(plots) == wide.execute_script(COUNT)
    for plot in plots:
        assert plot.size["width"] > 400
        traces = wide.execute_script("return arguments[0]._fullData.filter(t => t.visible === true).length", plot)
        marks = wide.execute_script(
            "return arguments[0].querySelectorAll('path, .point, .bars, .cell-text').length", plot
        )
        assert traces >= 1
        assert marks >= 5
    assert not wide.execute_script("return document.querySelectorAll('.plotly-fallback:not([hidden])').length")


def test_hover_shows_values(wide, address):
    visit(wide, f"{address}/book/chapters/learned_encoding.html")
    plot = wide.find_element(By.CSS_SELECTOR, ".plotly-fig .js-plotly-plot")
    wide.execute_script("arguments[0].scrollIntoView({block: 'center'})", plot)
    drag = plot.find_element(By.CSS_SELECTOR, ".nsewdrag")
    at = wide.execute_script(POINT, plot)
    size = drag.rect
    for right in (0, 2, 4):  # a pointer that comes in straight onto the point has not moved over the figure yet
        offset = (round(at[0] - size["width"] / 2) + right, round(at[1] - size["height"] / 2))
        ActionChains(wide).move_to_element_with_offset(drag, *offset).perform()
    texts = WebDriverWait(wide, 10).until(lambda b: plot.find_elements(By.CSS_SELECTOR, ".hoverlayer text"))
    assert any(character.isdigit() for t in texts for character in t.text)


def test_the_theme_button_repaints_the_figures(wide, address):
    visit(wide, f"{address}/book/chapters/benchmarks.html")
    ink = "return getComputedStyle(document.querySelector('.js-plotly-plot .xtick text')).fill"
    wide.execute_script("document.documentElement.dataset.theme = 'light'")
    time.sleep(0.5)
    light = wide.execute_script(ink)
    button = wide.find_element(By.CSS_SELECTOR, ".theme-switch-button")
    for _ in range(3):
        wide.execute_script("arguments[0].click()", button)
        if wide.execute_script("return document.documentElement.dataset.theme") == "dark":
            break
    WebDriverWait(wide, 10).until(lambda b: b.execute_script(ink) != light)
    background = wide.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert max(int(v) for v in background[background.index("(") + 1 : -1].split(",")[:3]) < 60


@pytest.mark.parametrize("way", ["http", "file"])
def test_search_finds_a_word_of_a_chapter(way, wide, address, site):
    root = address if way == "http" else f"file://{site}"
    wide.get(f"{root}/search.html?q=bigram")
    WebDriverWait(wide, 20).until(lambda b: b.find_elements(By.CSS_SELECTOR, "#search-results li a"))
    found = [a.get_attribute("href") for a in wide.find_elements(By.CSS_SELECTOR, "#search-results li a")]
    assert any("learned_encoding" in link for link in found)


def test_the_ledger_filters_and_links(wide, address, root):
    visit(wide, f"{address}/book/claims.html")
    shown = "return [...document.querySelectorAll('table.ledger tbody tr')].filter(r => !r.hidden).map(r => r.id)"
    known = [*claims.load(root / "book" / "claims.yml")]
    assert wide.execute_script(shown) == known
    Select(wide.find_element(By.NAME, "part")).select_by_visible_text("I · Partial knowledge")
    assert wide.execute_script(shown) == [name for name in known if name.startswith("D")]
    Select(wide.find_element(By.NAME, "part")).select_by_value("004")
    assert wide.execute_script(shown) == [name for name in known if name.startswith("E")]
    Select(wide.find_element(By.NAME, "verdict")).select_by_visible_text("refuted")
    refuted = wide.execute_script(shown)
    assert 0 < len(refuted) < len(known)
    wide.find_element(By.NAME, "text").send_keys("genome")
    assert set(wide.execute_script(shown)) <= set(refuted)
    assert wide.find_element(By.CSS_SELECTOR, ".ledger-count").text.endswith(f"of {len(known)} claims")
    links = [a.get_attribute("href") for a in wide.find_elements(By.CSS_SELECTOR, "#E1 a")]
    assert any("learned_encoding" in link for link in links)
    assert any("seeds.html#seed-004" in link for link in links)


def test_every_link_within_the_site_leads_somewhere(site):
    broken = []
    for page in site.rglob("*.html"):
        text = page.read_text()
        for link in re.findall(r'<a [^>]*href="([^"#?]+)[^"]*"', text):
            if not link.startswith(("http:", "https:", "mailto:", "data:")) and not (page.parent / link).exists():
                broken.append((page.name, link))
    assert not broken


@pytest.mark.parametrize("name", ["dtdr_emergence", "dtdr_guided", "learned_encoding", "encoding_limits"])
def test_a_chapter_argues_before_its_criteria_and_closes_with_its_provenance(name, wide, address):
    visit(wide, f"{address}/book/chapters/{name}.html")
    box = wide.find_element(By.CSS_SELECTOR, ".claims-box")
    badges = [b.text.lower() for b in box.find_elements(By.CSS_SELECTOR, ".verdict")]
    assert set(badges) - {claims.words.AWAITING}
    assert set(badges) <= set(claims.words.VERDICTS)
    first = wide.find_element(By.CSS_SELECTOR, ".plotly-fig")
    assert first.location["y"] < box.location["y"]
    footer = wide.find_element(By.CSS_SELECTOR, "footer.provenance").text
    assert "Provenance. quick profile" in footer
