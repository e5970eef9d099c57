"""`ruc lab` in a real browser: what is typed and saved there reaches the twin, never the source, and is not lost afterwards."""

import contextlib
import json
import os
import re
import subprocess
import sys
import time

import pytest

from helpers.run import pairs, processes
from helpers.run.project import Project

pytestmark = pytest.mark.browser
FIRST = 120  # seconds that JupyterLab may take to be there on a busy machine
CELL = ".jp-Notebook .jp-CodeCell .cm-content"


def until(look, seconds=60):
    """The first answer that is true."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.suppress(Exception):
            if found := look():
                return found
        time.sleep(0.3)
    raise AssertionError(f"not within {seconds} s")


@pytest.fixture
def lab(project_folder, tmp_path):
    """The address of JupyterLab on the fixture project, started as a user does, whose own configuration pairs everything."""
    config = tmp_path / "config" / "jupytext"
    config.mkdir(parents=True)
    (config / "jupytext.toml").write_text('formats = "ipynb,py:percent"\n')
    pairs.make(Project.find())
    words = [
        "--no-browser",
        "--ip",
        "127.0.0.1",
        "--port",
        "0",
        "--IdentityProvider.token=t",
        "--ServerApp.open_browser=False",
    ]
    env = os.environ | {"XDG_CONFIG_HOME": str(config.parent), "HOME": str(tmp_path), "RUC_RUN_DIR": str(tmp_path)}
    log = (tmp_path / "log").open("w+")
    command = [sys.executable, "-m", "helpers.run.cli", "lab", *words]
    process = subprocess.Popen(command, stdout=log, stderr=log, env=env, start_new_session=True)
    try:
        text = lambda: (tmp_path / "log").read_text()
        port = until(lambda: re.search(r"http://127\.0\.0\.1:(\d+)/", text()), FIRST)[1]
        yield f"http://127.0.0.1:{port}/lab/tree/good.ipynb?token=t"
    finally:
        processes.end(tmp_path, [process.pid])
        process.wait()
        log.close()


def test_a_trial_value_saved_in_lab_stays_there(lab, start, project_folder):
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    source = project_folder / "notebooks" / "good.py"
    twin, before = source.with_suffix(".ipynb"), source.read_bytes()
    browser = start("--window-size=1400,1000")
    try:
        browser.get(lab)
        cells = lambda: browser.find_elements(By.CSS_SELECTOR, CELL)
        cell = until(lambda: next(c for c in cells() if "seed: int = 1" in c.text), FIRST)
        typed = ActionChains(browser).click(cell).key_down(Keys.CONTROL).send_keys(Keys.END).key_up(Keys.CONTROL)
        typed.send_keys("\nseed = 77").key_down(Keys.CONTROL).send_keys("s").key_up(Keys.CONTROL).perform()
        saved = until(lambda: "seed = 77" in twin.read_text())
    finally:
        browser.quit()
    assert saved
    assert source.read_bytes() == before
    source.write_text(source.read_text().replace("It adds.", "It adds numbers."))
    made, kept, *_ = pairs.make(Project.find())
    assert (made, kept) == ([], ["good"])
    made, _, copies, _ = pairs.make(Project.find(), force=True)
    assert made == ["good"]
    assert any("seed = 77" in "".join(c["source"]) for c in json.loads(copies[0].read_text())["cells"])
    assert "77" not in source.read_text()
