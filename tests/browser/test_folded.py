"""What was replaced is folded: a key opens it, print shows it, with and without scripts; from disk."""

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys


@pytest.fixture
def folded(tmp_path, root):
    assets = root / "src" / "helpers" / "book" / "assets"
    look, does = ((assets / f"shell.{kind}").read_text("utf-8") for kind in ("css", "js"))
    box = '<details class="before"><summary>undecided → refuted</summary><p>the old criterion</p></details>'
    path = tmp_path / "page.html"
    path.write_text(f"<style>{look}</style><article class='bd-article'>{box}</article><script>{does}</script>", "utf-8")
    return path.as_uri()


def test_a_key_opens_it(wide, folded):
    wide.get(folded)
    text = wide.find_element(By.CSS_SELECTOR, ".before p")
    assert not text.is_displayed()
    wide.find_element(By.TAG_NAME, "body").send_keys(Keys.TAB)
    wide.switch_to.active_element.send_keys(Keys.ENTER)
    assert text.is_displayed()


def test_scripts_open_it_for_print_and_leave_it_as_it_was(wide, folded):
    wide.get(folded)
    wide.execute_script("dispatchEvent(new Event('beforeprint'))")
    assert wide.find_element(By.CSS_SELECTOR, ".before p").is_displayed()
    wide.execute_script("dispatchEvent(new Event('afterprint'))")
    assert not wide.find_element(By.CSS_SELECTOR, ".before p").is_displayed()


def test_without_scripts_a_click_opens_it_and_print_shows_it(start, folded):
    browser = start("--window-size=1000,900", scripts=False)
    try:
        browser.get(folded)
        high = lambda: browser.find_element(By.CSS_SELECTOR, ".before").size[
            "height"
        ]  # selenium calls closed what is printed
        closed = high()
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
        assert high() > 1.5 * closed
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
        assert high() == closed
        browser.find_element(By.CSS_SELECTOR, ".before summary").click()
        assert high() > 1.5 * closed
    finally:
        browser.quit()
