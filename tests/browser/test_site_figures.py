"""The figures of the built site for every reader: a keyboard, a finger, a printer, no scripts, a screen reader, a slow line."""

import itertools
import json
import re
import time

import pytest
from axe_core_python.base import AXE_SCRIPT
from browsing import FIGURES, INTO_VIEW, PAGES, SOME, messages, show, visit
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

pytestmark = [pytest.mark.browser, pytest.mark.slow]

LINE = 2_500_000  # bytes of a chapter's first visit, nothing compressed
PICTURE = 40_000  # bytes of a still picture: a chapter holds fourteen
CONTROL = ".figure-controls :is(select, input, button)"
SEEN = "return JSON.stringify(arguments[0]._fullData.map(t => [t.visible, t.x && [...t.x].slice(0, 3)]))"
AT = """const r = arguments[0].querySelector('.nsewdrag').getBoundingClientRect();
return [r.x + r.width / 2, r.y + Math.min(r.height / 2, 120)]"""
TOUCHED = "const l = arguments[0]._fullLayout; return [l.dragmode, l.xaxis.fixedrange, l.yaxis.fixedrange]"
SERIOUS = """const done = arguments[arguments.length - 1];
axe.run(document, {resultTypes: ['violations']}).then(found => done(found.violations
  .filter(v => ['serious', 'critical'].includes(v.impact)).map(v => [v.id, v.nodes.map(n => n.html.slice(0, 120))])))"""


def plot_of(box):
    return box.find_element(By.CSS_SELECTOR, ".js-plotly-plot")


def chapter(address, name="learned_encoding"):
    return f"{address}/book/chapters/{name}.html"


def touch(browser, kind, *points):
    points = [{"x": x, "y": y} for x, y in points]
    browser.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})


@pytest.fixture
def printed(wide):
    wide.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    yield wide
    wide.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})


def test_tab_reaches_every_control_and_no_button_of_a_modebar(wide, address):
    boxes = visit(wide, chapter(address))
    wanted = wide.find_elements(By.CSS_SELECTOR, CONTROL)
    assert {c.tag_name for c in wanted} == {"select", "input", "button"}
    reached = []
    for box in boxes:
        wide.execute_script("arguments[0].tabIndex = -1; arguments[0].focus()", box)
        count = len(box.find_elements(By.CSS_SELECTOR, CONTROL))
        for _ in range(count + 1):  # one more: it leaves the figure
            ActionChains(wide).send_keys(Keys.TAB).perform()
            reached.append(wide.switch_to.active_element)
        assert not wide.execute_script("return arguments[0].contains(arguments[1])", box, reached[-1])
    assert set(wanted) <= set(reached)
    assert all(c.accessible_name for c in wanted)


def test_keys_move_a_menu_and_a_slider(wide, address):
    moved = set()
    for box in visit(wide, chapter(address)):
        for control in box.find_elements(By.CSS_SELECTOR, ".figure-controls :is(select, input)"):
            show(wide, box)
            before = wide.execute_script(SEEN, plot_of(box))
            control.send_keys(Keys.ARROW_DOWN if control.tag_name == "select" else Keys.HOME)
            WebDriverWait(wide, 10).until(
                lambda b, box=box, before=before: b.execute_script(SEEN, plot_of(box)) != before
            )
            if control.tag_name == "input":
                said = box.find_element(By.CSS_SELECTOR, ".figure-controls output").text
                assert control.get_attribute("aria-valuetext") == said
                control.send_keys(Keys.ARROW_RIGHT)
                assert box.find_element(By.CSS_SELECTOR, ".figure-controls output").text != said
            moved.add(control.tag_name)
    assert moved == {"select", "input"}


def test_play_runs_and_pauses_by_key_and_takes_the_slider_along(wide, address):
    boxes = visit(wide, chapter(address))
    box = next(b for b in boxes if b.find_elements(By.CSS_SELECTOR, ".figure-controls button"))
    play, slider = (box.find_element(By.CSS_SELECTOR, f".figure-controls {tag}") for tag in ("button", "input"))
    slider.send_keys(Keys.HOME)
    play.send_keys(Keys.SPACE)
    WebDriverWait(wide, 10).until(lambda b: int(slider.get_property("value")) > 2)
    assert play.text == "Pause"
    play.send_keys(Keys.SPACE)
    WebDriverWait(wide, 10).until(lambda b: play.text == "Play")
    stopped = slider.get_property("value")
    time.sleep(0.6)
    assert slider.get_property("value") == stopped
    assert int(stopped) < int(slider.get_property("max"))


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_has_a_role_a_name_and_a_description_that_stands_there_once(name, wide, address):
    for box in visit(wide, chapter(address, name)):
        assert (box.get_attribute("role"), bool(box.accessible_name)) == ("figure", True)
        caption = wide.find_element(By.ID, box.get_attribute("aria-describedby"))
        assert len(caption.text) > 20
        assert caption.text not in box.text
        assert plot_of(box).get_attribute("aria-hidden") == "true"
        buttons = box.find_elements(By.CSS_SELECTOR, ".modebar-btn")
        assert buttons
        assert {b.get_attribute("tabindex") for b in buttons} == {"-1"}
        assert not {"Box Select", "Lasso Select", "Autoscale", "Zoom in"} & {
            b.get_attribute("data-title") for b in buttons
        }


@pytest.mark.parametrize("page", SOME)
def test_axe_finds_nothing_serious(page, wide, address):
    visit(wide, f"{address}/{page}.html")
    wide.execute_script(AXE_SCRIPT)
    for theme in ("light", "dark"):
        wide.execute_script("document.documentElement.dataset.theme = arguments[0]", theme)
        time.sleep(0.4)
        assert wide.execute_async_script(SERIOUS) == []


@pytest.mark.parametrize("name", ["learned_encoding", "dtdr_guided"])
def test_a_swipe_over_a_figure_scrolls_the_page(name, narrow, address):
    for box in visit(narrow, chapter(address, name)):
        show(narrow, box)
        x, y = narrow.execute_script(AT, box)
        start = narrow.execute_script("return scrollY")
        touch(narrow, "touchStart", (x, y))
        for step in range(1, 9):
            touch(narrow, "touchMove", (x, y - 25 * step))
        touch(narrow, "touchEnd")
        WebDriverWait(narrow, 5).until(lambda b, start=start: b.execute_script("return scrollY") > start + 80)
        assert narrow.execute_script(TOUCHED, plot_of(box)) == [False, True, True]
        assert not narrow.find_elements(By.CSS_SELECTOR, "dialog.enlarged")


@pytest.mark.parametrize("way", ["tap", "button"])
def test_a_tap_enlarges_a_figure_and_escape_brings_it_back(way, narrow, address):
    box = visit(narrow, chapter(address))[1]
    show(narrow, box)
    small = plot_of(box).size
    opener = box.find_element(By.CSS_SELECTOR, ".enlarge")
    if way == "tap":
        at = narrow.execute_script(AT, box)
        touch(narrow, "touchStart", at)
        touch(narrow, "touchEnd")
    else:
        opener.send_keys(Keys.ENTER)
    dialog = WebDriverWait(narrow, 10).until(lambda b: b.find_element(By.CSS_SELECTOR, "dialog.enlarged[open]"))
    WebDriverWait(narrow, 10).until(lambda b: plot_of(dialog).size["width"] > 1.5 * small["width"])
    assert dialog.accessible_name == box.get_attribute("aria-label")
    assert narrow.switch_to.active_element.text == "Close"
    narrow.switch_to.active_element.send_keys(Keys.ESCAPE)
    WebDriverWait(narrow, 10).until(lambda b: not b.find_elements(By.CSS_SELECTOR, "dialog.enlarged"))
    WebDriverWait(narrow, 10).until(lambda b: plot_of(box).size == small)
    assert narrow.switch_to.active_element == opener


@pytest.mark.parametrize("name", FIGURES)
def test_in_print_a_picture_stands_for_every_figure_and_is_not_cut(name, printed, address):
    printed.get(chapter(address, name))
    boxes = printed.find_elements(By.CSS_SELECTOR, ".plotly-fig")
    pictures = printed.find_elements(By.CSS_SELECTOR, "img.plotly-static")
    assert len(pictures) == len(boxes) >= FIGURES[name]
    width = printed.execute_script("return document.documentElement.clientWidth")
    for box, picture in zip(boxes, pictures, strict=True):
        printed.execute_script(INTO_VIEW, picture)
        WebDriverWait(printed, 10).until(lambda b, p=picture: p.get_property("naturalWidth"))
        assert not box.is_displayed()
        assert 0 <= picture.rect["x"] < picture.rect["x"] + picture.rect["width"] <= width
        assert picture.rect["height"] > 100


def test_without_scripts_a_picture_and_one_caption_stand_for_each_figure(address, start):
    browser = start("--window-size=1000,900", scripts=False)
    try:
        browser.get(chapter(address, "dtdr_guided"))
        pictures = browser.find_elements(By.CSS_SELECTOR, "img.plotly-static")
        assert len(pictures) >= FIGURES["dtdr_guided"]
        assert all(p.is_displayed() and p.size["height"] > 100 for p in pictures)
        assert not any(b.is_displayed() for b in browser.find_elements(By.CSS_SELECTOR, ".plotly-fig"))
        captions = [c.text for c in browser.find_elements(By.CSS_SELECTOR, ".figcaption")]
        text = browser.find_element(By.TAG_NAME, "main").text
        assert captions
        assert all(text.count(caption) == 1 for caption in captions)
        assert browser.find_elements(By.CSS_SELECTOR, "math")
        assert "\\(" not in text
    finally:
        browser.quit()


@pytest.mark.parametrize("name", FIGURES)
def test_a_chapter_s_first_visit_is_light(name, wide, address):
    wide.execute_cdp_cmd("Network.clearBrowserCache", {})
    visit(wide, chapter(address, name))
    assert 1_500_000 < sum(told["encodedDataLength"] for told in messages(wide, "loadingFinished")) <= LINE


def test_figures_are_drawn_when_a_reader_comes_near(wide, address):
    wide.get(chapter(address))
    count = "return document.querySelectorAll('.plotly-fig[data-state]').length"
    time.sleep(1.5)
    near = wide.execute_script(count)
    assert near < len(visit(wide, chapter(address))) == wide.execute_script(count)


def test_still_pictures_are_small_and_light(site):
    pictures = list((site / "_images").glob("*.svg"))
    sizes = sorted(p.stat().st_size for p in pictures)
    assert len(pictures) >= sum(FIGURES.values())
    assert sizes[-1] <= PICTURE
    assert sizes[len(sizes) * 9 // 10] <= 30_000


def test_a_page_asks_for_plotly_only_where_a_figure_is(site):
    for page in (*PAGES, "search"):
        text = (site / f"{page}.html").read_text()
        assert ("plotly-cartesian" in text) == ('class="plotly-fig"' in text)
        assert "mathjax" not in text.lower().replace("mathjax_ignore", "")
        assert json.dumps("fontawesome.js") not in text


def test_a_name_has_one_colour_in_the_whole_book(site):
    """Dashes say whose run it is; a colour says what is drawn, wherever it is drawn."""
    looks = {}
    for page in sorted(site.rglob("*.html")):
        for spec in re.findall(r'<script type="application/json">(.*?)</script>', page.read_text(), re.S):
            for trace in json.loads(spec).get("data", ()):
                color = (trace.get("line") or {}).get("color") or (trace.get("marker") or {}).get("color")
                if trace.get("name") and trace.get("type", "scatter") == "scatter" and isinstance(color, str):
                    name = trace["name"].removesuffix(" (n = 1)")
                    looks.setdefault(name, {}).setdefault(color, page.name)
    assert len(looks) > 20
    assert not {name: found for name, found in looks.items() if len(found) > 1}


CONTRASTS = """
  const [plot, done] = arguments, paper = getComputedStyle(document.body).backgroundColor;
  const parts = (color) => color.match(/[0-9.]+/g).slice(0, 3).map(Number);
  const channel = (v) => (v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4);
  const light = (color) => parts(color).reduce((s, v, i) => s + [0.2126, 0.7152, 0.0722][i] * channel(v), 0.05);
  requestAnimationFrame(() => requestAnimationFrame(() => done([...plot.querySelectorAll(".annotation-text")].map((e) => {
    const pair = [light(getComputedStyle(e).fill), light(paper)].sort((a, b) => a - b);
    return [e.textContent, pair[1] / pair[0]];
  }))));"""


def test_lines_are_named_at_their_ends_on_a_wide_page_and_in_a_legend_on_a_phone(wide, narrow, address):
    rects = """return [...arguments[0].querySelectorAll('.annotation[data-index] .annotation-text-g')]
      .map(e => e.getBoundingClientRect()).map(r => [r.top, r.bottom, r.left, r.right])"""
    ends = "return (arguments[0].layout.annotations || []).filter(a => a.name === 'end').length"
    named, faint = 0, {}
    for box in visit(wide, chapter(address, "dtdr_emergence")):
        plot = plot_of(box)
        if not wide.execute_script(ends, plot):
            continue
        named += not box.find_elements(By.CSS_SELECTOR, "g.legend")
        found = sorted(wide.execute_script(rects, plot))
        clash = [(a, b) for a, b in itertools.pairwise(found) if b[0] < a[1] - 1 and b[2] < a[3] and a[2] < b[3]]
        assert not clash
        assert all(r[3] <= wide.execute_script("return innerWidth") for r in found)
        for theme in ("light", "dark"):
            wide.execute_script("document.documentElement.dataset.theme = arguments[0]", theme)
            faint |= {text: ratio for text, ratio in wide.execute_async_script(CONTRASTS, plot) if ratio < 4.5}
    assert named >= 1
    assert not faint
    boxes = visit(narrow, chapter(address, "dtdr_emergence"))
    assert not any(narrow.execute_script(ends, plot_of(box)) for box in boxes)
