"""The table of what models write in real headless Chromium: keyboard, phone, dark, print, no scripts; from disk."""

import importlib.util
import itertools
import re
from pathlib import Path

import pandas as pd
import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from helpers import figures

pytestmark = [pytest.mark.browser]


def texts_page(folder):
    """A page of the theme with a table of texts, the last of four positions shown; its address on disk."""
    said = {"a": "Once upon a time, <b>Tim</b>. " * 9, "b": "x" * 200 + "\n$x^2$"}
    rows = [
        {"name": n, "kept": k / 4, "text": t[: len(t) // k]}
        for (n, t), k in itertools.product(said.items(), range(1, 5))
    ]
    table = figures.texts(pd.DataFrame(rows), {"a": "raw weights in shuffled order", "b": "transformed"}, caption="Q.")
    packages = {name: Path(importlib.util.find_spec(name).origin).parent for name in ("pydata_sphinx_theme", "helpers")}
    styles = sorted((packages["pydata_sphinx_theme"] / "theme").rglob("*.css"), key=lambda p: p.name != "theme.css")
    styles = [p for p in styles if "vendor" not in p.parts] + [packages["helpers"] / "book" / "assets" / "book.css"]
    page = folder / "page.html"
    page.write_text(
        '<!doctype html><html lang="en" data-theme="light"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        + "".join(f'<link rel="stylesheet" href="{p.as_uri()}">' for p in styles)
        + f'</head><body><div class="bd-content"><div class="cell_output">{table.bundle["text/html"]}</div></div></body></html>'
    )
    return page.as_uri()


def shown(browser):
    """What a reader sees of each position."""
    return [t.text for t in browser.find_elements(By.CSS_SELECTOR, ".texts table") if t.is_displayed()]


@pytest.mark.parametrize("size", ["wide", "narrow"])
def test_the_keyboard_moves_a_table_of_texts(size, request, tmp_path):
    browser = request.getfixturevalue(size)
    browser.get(texts_page(tmp_path))
    slider, value = (browser.find_element(By.CSS_SELECTOR, f".texts {tag}") for tag in ("input", "output"))
    assert slider.accessible_name == "kept:"
    assert value.get_attribute("aria-live") == "polite"
    height = browser.find_element(By.CSS_SELECTOR, ".texts").size["height"]
    seen = []
    for key, name in ((Keys.HOME, "25%"), (Keys.ARROW_RIGHT, "50%"), (Keys.ARROW_RIGHT, "75%"), (Keys.END, "100%")):
        slider.send_keys(key)
        assert (value.text, slider.get_attribute("aria-valuetext")) == (name, name)
        seen += shown(browser)
        assert browser.find_element(By.CSS_SELECTOR, ".texts").size["height"] == height
    assert len(set(seen)) == 4
    assert "<b>Tim</b>" in seen[0]
    assert not [e for e in browser.get_log("browser") if e["source"] == "javascript"]


def test_no_text_is_cut_on_a_phone_or_in_the_dark(narrow, tmp_path):
    narrow.get(texts_page(tmp_path))
    for theme in ("light", "dark"):
        narrow.execute_script("document.documentElement.dataset.theme = arguments[0]", theme)
        assert narrow.execute_script("return document.documentElement.scrollWidth") <= 390
        cut = "return [...document.querySelectorAll('.texts :is(th, td)')].filter(c => c.scrollWidth > c.clientWidth).length"
        assert narrow.execute_script(cut) == 0
        colours = "const s = getComputedStyle(document.querySelector('.texts td')); return s.color"
        ink = sum(int(float(v)) for v in re.findall(r"[0-9.]+", narrow.execute_script(colours))[:3])
        assert (ink > 3 * 128) == (theme == "dark")
    assert narrow.find_element(By.CSS_SELECTOR, ".texts label").size["height"] >= 32


def test_print_shows_the_chosen_position_and_its_name(wide, tmp_path):
    wide.get(texts_page(tmp_path))
    wide.find_element(By.CSS_SELECTOR, ".texts input").send_keys(Keys.HOME)
    on_screen = shown(wide)
    wide.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    try:
        assert shown(wide) == on_screen
        assert wide.find_element(By.CSS_SELECTOR, ".texts output").text == "25%"
        assert not wide.find_element(By.CSS_SELECTOR, ".texts input").is_displayed()
        table = wide.find_element(By.CSS_SELECTOR, ".texts table:not([hidden])").size["height"]
        assert wide.find_element(By.CSS_SELECTOR, ".texts .pages").size["height"] == pytest.approx(table, abs=2)
    finally:
        wide.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})


def test_without_scripts_every_position_stands_there(start, tmp_path):
    browser = start("--window-size=1000,900", scripts=False)
    try:
        browser.get(texts_page(tmp_path))
        assert len(shown(browser)) == 4
        assert [c.text for c in browser.find_elements(By.CSS_SELECTOR, ".texts caption")] == [
            f"kept: {k}%" for k in (25, 50, 75, 100)
        ]
        assert not browser.find_element(By.CSS_SELECTOR, ".texts input").is_displayed()
    finally:
        browser.quit()
