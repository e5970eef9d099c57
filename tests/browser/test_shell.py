"""What every page has around its text, in real headless Chromium: badges and their cards, tables on a phone, lines, search."""

import re
import time

import pytest
import yaml
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from helpers import claims

pytestmark = [pytest.mark.browser, pytest.mark.slow]

OPEN = "return [...document.querySelectorAll('.card-of:popover-open')].map(card => card.id)"
BADGES = "a.verdict[aria-describedby]"
OUT = """return [...document.querySelectorAll(arguments[0])].filter(e => e.getClientRects().length)
  .map(e => e.getBoundingClientRect()).filter(r => r.left < 0 || r.right > innerWidth).length"""
CELLS = """return [...document.querySelectorAll('table.labelled tbody td')]
  .filter(e => getComputedStyle(e).display == 'table-cell').length"""
MARKS = """const range = document.createRange(), out = [];
for (const p of document.querySelectorAll('.bd-article section > p')) {
  const text = p.textContent; if (text.length < 300) continue;
  range.selectNodeContents(p);
  const lines = new Set([...range.getClientRects()].map(r => Math.round(r.bottom / 12)));
  out.push(text.length / lines.size);
}
return out"""


def shown(browser):
    return browser.execute_script(OPEN)


def first_badge(browser, site, page="book/intro"):
    browser.get(f"file://{site}/{page}.html")
    badge = browser.find_element(By.CSS_SELECTOR, BADGES)
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", badge)
    return badge, badge.get_attribute("aria-describedby")


@pytest.mark.parametrize("page", ["book/intro", "book/chapters/learned_encoding"])
def test_a_badge_opens_its_card_under_the_pointer_and_escape_closes_it(page, wide, site):
    badge, card = first_badge(wide, site, page)
    ActionChains(wide).move_to_element(badge).perform()
    WebDriverWait(wide, 5).until(lambda b: shown(b) == [card])
    text = wide.find_element(By.ID, card).text
    assert re.search(r"\bn\n\d+", text)
    assert any(v in text for v in claims.words.VERDICTS)
    ActionChains(wide).send_keys(Keys.ESCAPE).perform()
    WebDriverWait(wide, 5).until(lambda b: shown(b) == [])


def test_the_keyboard_reaches_badge_card_and_what_follows(wide, site):
    badge, card = first_badge(wide, site)
    before = wide.find_element(By.CSS_SELECTOR, "table.picture th[scope=row] a")
    wide.execute_script("arguments[0].focus()", before)
    ActionChains(wide).send_keys(Keys.TAB).perform()
    WebDriverWait(wide, 5).until(lambda b: shown(b) == [card])
    assert wide.switch_to.active_element == badge
    ActionChains(wide).send_keys(Keys.TAB).perform()
    inside = wide.switch_to.active_element
    assert wide.execute_script("return arguments[0].closest('.card-of').id", inside) == card
    ActionChains(wide).send_keys(Keys.TAB, Keys.TAB).perform()
    WebDriverWait(wide, 5).until(lambda b: shown(b) == [])


def test_a_tap_opens_the_card_and_stays_on_the_page(narrow, site):
    badge, card = first_badge(narrow, site)
    here = narrow.current_url
    narrow.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": True})
    try:
        time.sleep(0.5)
        middle = "const r = arguments[0].getBoundingClientRect(); return {x: r.x + r.width / 2, y: r.y + r.height / 2}"
        at = narrow.execute_script(middle, badge)
        narrow.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [at]})
        narrow.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        WebDriverWait(narrow, 5).until(lambda b: shown(b) == [card])
        assert narrow.current_url == here
        assert narrow.execute_script(OUT, f"#{card}") == 0
    finally:
        narrow.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": False})


def test_without_scripts_a_badge_is_a_link_and_the_picture_is_there(site, start):
    browser = start("--window-size=1200,900", scripts=False)
    try:
        badge, _ = first_badge(browser, site)
        assert re.search(r"claims\.html#[A-Z]\d", badge.get_attribute("href"))
        drawn = browser.find_elements(By.CSS_SELECTOR, "svg.interval")
        assert drawn
        assert all(d.is_displayed() and d.size["width"] > 100 for d in drawn)
    finally:
        browser.quit()


def test_badge_ledger_row_and_verdict_row_lead_to_each_other(site):
    page = lambda name: (site / f"book/{name}.html").read_text()
    ledger, front = page("claims"), page("intro")
    linked = re.findall(r'class="verdict [^"]*" href="claims\.html#(\w+)"', front)
    assert linked
    for name in linked:
        row = re.search(rf'<tr id="{name}".*?</tr>', ledger, re.S)[0]
        chapter, anchor = re.search(r'href="chapters/(\w+)\.html#(verdict-\w+)"', row).groups()
        there = re.search(rf'<tr id="{anchor}">.*?</tr>', page(f"chapters/{chapter}"), re.S)[0]
        assert f'href="../claims.html#{name}"' in there


@pytest.mark.parametrize("width", [390, 320])
@pytest.mark.parametrize(
    "page",
    [
        "intro",
        "claims",
        "status",
        "methods",
        "changes",
        "running",
        "chapters/learned_encoding",
        "chapters/dtdr_emergence",
        "chapters/dtdr_guided",
        "chapters/benchmarks",
    ],
)
def test_on_a_phone_no_page_scrolls_sideways_and_tables_are_cards(page, width, narrow, site):
    size = {"width": width, "height": 844, "deviceScaleFactor": 2, "mobile": True}
    narrow.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        narrow.get(f"file://{site}/book/{page}.html")
        assert narrow.execute_script("return document.documentElement.scrollWidth") <= width
        assert narrow.execute_script(OUT, "table.labelled :is(td, .verdict)") == 0
        assert narrow.execute_script(OUT, ".verdict") == 0
        assert narrow.execute_script(CELLS) == 0
    finally:
        narrow.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size | {"width": 390})


def test_a_line_of_prose_is_as_long_as_the_eye_likes(wide, site):
    wide.get(f"file://{site}/book/chapters/learned_encoding.html")
    lengths = sorted(wide.execute_script(MARKS))
    assert 62 <= lengths[len(lengths) // 2] <= 74
    code = (
        "return [...document.querySelectorAll('.cell_input pre')].filter(e => e.scrollWidth > e.clientWidth + 1).length"
    )
    assert wide.execute_script(code) == 0


def test_a_term_opens_its_meaning_and_parameters_are_a_table(wide, site):
    wide.get(f"file://{site}/book/chapters/learned_encoding.html")
    terms = [t.text.lower() for t in wide.find_elements(By.CSS_SELECTOR, "a.term")]
    assert len(terms) == len(set(terms)) >= 4
    term = wide.find_element(By.CSS_SELECTOR, "a.term")
    wide.execute_script("arguments[0].scrollIntoView({block: 'center'})", term)
    ActionChains(wide).move_to_element(term).perform()
    WebDriverWait(wide, 5).until(lambda b: shown(b) == [term.get_attribute("aria-describedby")])
    rows = wide.find_elements(By.CSS_SELECTOR, "table.parameters tbody tr")
    assert len(rows) >= 3
    assert not wide.find_elements(By.CSS_SELECTOR, ".tag_parameters pre")


def test_every_part_stands_in_the_sidebar_and_one_without_a_chapter_is_to_come(wide, site, root):
    wide.get(f"file://{site}/book/running.html")
    shown = wide.find_element(By.CSS_SELECTOR, ".bd-sidebar-primary").text
    listed = (root / "_toc.yml").read_text()
    for part in yaml.safe_load((root / "book" / "parts.yml").read_text()):
        assert part["title"] in shown
        there = any(f"book/chapters/{name}\n" in listed for name in part["notebooks"])
        assert (f"{part['title']} (to come)" in shown) != there


@pytest.mark.parametrize(
    ("query", "first"),
    [("E5", "claims.html#E5"), ("Learned encodings", "learned_encoding.html"), ("methods", "methods.html")],
)
def test_search_from_disk_finds_titles_and_claims_first_and_shows_a_line(query, first, wide, site):
    wide.get_log("browser")
    wide.get(f"file://{site}/search.html?q={query}")
    WebDriverWait(wide, 20).until(lambda b: b.find_elements(By.CSS_SELECTOR, "#search-results li .context"))
    link = wide.find_element(By.CSS_SELECTOR, "#search-results li a")
    assert link.get_attribute("href").partition("#")[0].partition("?")[0].endswith(first.partition("#")[0])
    assert first.partition("#")[2] in link.get_attribute("href")
    assert not [e for e in wide.get_log("browser") if e["level"] in ("SEVERE", "WARNING")]


def test_the_status_page_gives_each_references_command(wide, site):
    wide.get(f"file://{site}/book/status.html")
    commands = [c.text for c in wide.find_elements(By.CSS_SELECTOR, "table.references .command")]
    assert commands
    assert all(c.startswith("ruc run ") for c in commands)
    copies = [b.get_attribute("data-copy") for b in wide.find_elements(By.CSS_SELECTOR, "table.references .copy")]
    assert copies == commands


@pytest.mark.parametrize("page", ["intro", "claims", "chapters/learned_encoding", "chapters/dtdr_emergence"])
def test_numbers_are_written_one_way(page, wide, site):
    wide.get(f"file://{site}/book/{page}.html")
    text = wide.execute_script(
        "document.querySelectorAll('pre, code, script, .plotly-fig, footer').forEach(e => e.remove());"
        "return document.querySelector('.bd-article').innerText"
    )
    assert not re.findall(r"[\s\[(]-\d[\d.]*", text)
    assert not re.findall(r"± 0(?:\.0+)?(?![\d.])", text)
    assert not re.findall(r"\[([^\[\],]+), \1\]", text)
    assert not re.findall(r"\d ±|± \d|\d %", text)


def test_no_button_promises_to_run_a_chapter_where_the_package_is_not(site):
    """Colab and Binder open a notebook without the helpers beside it."""
    pages = list(site.rglob("*.html"))
    links = {link for page in pages for link in re.findall(r'href="(https?://[^"/]+)', page.read_text())}
    assert links
    assert not [link for link in links if re.search("colab|binder|kaggle|deepnote", link)]
