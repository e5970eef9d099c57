"""What the tests of the built site share: its pages, and a visit that draws every figure."""

import json
import os

from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

FIGURES = {  # at least so many live figures
    "dtdr_emergence": 5,
    "dtdr_damage": 5,
    "dtdr_models": 5,
    "dtdr_guided": 4,
    "metric_calibration": 5,
    "training_dynamics": 3,
    "phase_one_ablation": 3,
    "joint_qa": 5,
    "joint_qa_ablations": 4,
    "separability_foundation": 5,
    "separability_repair": 4,
    "separability_grokking": 5,
    "separability_superposition": 5,
    "learned_encoding": 8,
    "encoding_limits": 3,
    "storyteller": 1,
    "benchmarks": 2,
}
PAGES = (
    "book/intro",
    "book/running",
    "book/seeds",
    "book/methods",
    "book/claims",
    "book/changes",
    "book/status",
    "book/glossary",
    "book/bibliography",
    *(f"book/chapters/{name}" for name in FIGURES),
)
# for tests that take seconds a page: with RUC_TEST_ALL=1 every page, else one chapter of each part
ONE_A_PART = {"dtdr_emergence", "training_dynamics", "joint_qa", "separability_grokking", "learned_encoding"}
SOME = (
    PAGES
    if os.environ.get("RUC_TEST_ALL")
    else tuple(page for page in PAGES if "chapters" not in page or page.rpartition("/")[2] in ONE_A_PART)
)
INTO_VIEW = "arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})"


def messages(browser, method):
    """What the browser has told of its network since the last call."""
    found = (json.loads(entry["message"])["message"] for entry in browser.get_log("performance"))
    return [m["params"] for m in found if m["method"] == f"Network.{method}"]


def requests(browser):
    """Addresses asked for since the last call."""
    return [told["request"]["url"] for told in messages(browser, "requestWillBeSent")]


def visit(browser, url):
    """Open a page and scroll every figure into view until it is drawn. Returns the figures' boxes."""
    requests(browser), browser.get_log("browser")
    browser.get(url)
    boxes = browser.find_elements(By.CSS_SELECTOR, ".plotly-fig")
    for box in boxes:
        show(browser, box)
    return boxes


def show(browser, box):
    """Scroll one figure into view and wait until it is drawn."""
    browser.execute_script(INTO_VIEW, box)
    WebDriverWait(browser, 20).until(lambda b: box.get_attribute("data-state") == "drawn")
