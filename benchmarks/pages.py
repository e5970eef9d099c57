"""How long the pages of a built book keep a slow machine busy, and what a first visit weighs.

python benchmarks/pages.py _build/html [--slow 4] [--tries 3]

Prints one line a chapter: kB of a first visit without compression, and for each try when the last long task (50 ms or more) of
the page ended, in seconds after the visit began, on a processor slowed down so many times. Wanted: at most 2,500 kB and 2.5 s.
"""

import argparse
import functools
import http.server
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "browser"))
LONG = """window.longTasks = [];
new PerformanceObserver((list) => list.getEntries().forEach((e) => longTasks.push(e.startTime + e.duration)))
  .observe({type: 'longtask', buffered: true})"""
WEIGHT = "return performance.getEntries().reduce((sum, e) => sum + (e.decodedBodySize || 0), 0)"
WAIT = 8  # seconds that a visit is watched


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Says nothing."""

    def log_message(self, *words):
        pass


def main() -> None:
    """See above."""
    ask = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ask.add_argument("site", type=Path)
    ask.add_argument("--slow", type=float, default=4)
    ask.add_argument("--tries", type=int, default=3)
    given = ask.parse_args()
    pages = sorted(given.site.glob("book/chapters/*.html"))
    if not pages:
        ask.error(f"{given.site} holds no chapters; build the book first (make book) and give its _build/html")
    from conftest import _start

    handler = functools.partial(Quiet, directory=str(given.site))
    browser = _start("--window-size=1400,1000")
    try:
        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            browser.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": LONG})
            browser.execute_cdp_cmd("Emulation.setCPUThrottlingRate", {"rate": given.slow})
            for page in pages:
                ends = []
                for _ in range(given.tries):
                    browser.execute_cdp_cmd("Network.clearBrowserCache", {})
                    browser.get(f"http://127.0.0.1:{server.server_port}/book/chapters/{page.name}")
                    time.sleep(WAIT)
                    ends.append(max(browser.execute_script("return longTasks"), default=0) / 1000)
                weight = browser.execute_script(WEIGHT) / 1000
                print(
                    f"{page.stem:28s} {weight:6.0f} kB   idle after {', '.join(f'{e:.1f}' for e in ends)} s", flush=True
                )
            server.shutdown()
    finally:
        browser.quit()


if __name__ == "__main__":
    main()
