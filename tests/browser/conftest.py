"""Headless Chromium for the tests of pages, which are skipped where it or its driver is missing."""

from __future__ import annotations

import functools
import http.server
import shutil
import threading

import pytest

CHROMIUM = next((p for n in ("chromium", "chromium-browser", "google-chrome") if (p := shutil.which(n))), None)
DRIVER = shutil.which("chromedriver")


def pytest_collection_modifyitems(items):
    if not (CHROMIUM and DRIVER):
        missing = pytest.mark.skip(reason="no Chromium with its chromedriver on the PATH")
        for item in items:
            if item.get_closest_marker("browser"):
                item.add_marker(missing)


def _start(*extra, scripts=True):
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for word in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", *extra):
        options.add_argument(word)
    options.add_argument("--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1")
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    if not scripts:
        options.add_experimental_option("prefs", {"profile.managed_default_content_settings.javascript": 2})
    return webdriver.Chrome(options=options, service=Service(DRIVER))


@pytest.fixture(scope="session")
def start():
    """Start a browser: start(*flags, scripts=True). Whoever starts one quits it."""
    return _start


@pytest.fixture(scope="module")
def wide(start):
    browser = start("--window-size=1400,1000")
    yield browser
    browser.quit()


@pytest.fixture(scope="module")
def narrow(start):
    browser = start("--window-size=390,844")
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": True}
    )
    browser.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": True, "maxTouchPoints": 1})
    yield browser
    browser.quit()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *words):
        pass


@pytest.fixture(scope="module")
def address(site):
    """The built site over http, on this machine alone."""
    handler = functools.partial(_Quiet, directory=str(site))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
