"""A run that is killed goes on where it was, and ends as one that was not."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import resumed


def test_a_killed_run_goes_on_to_the_same_records(tmp_path):
    child = subprocess.Popen([sys.executable, resumed.__file__, str(tmp_path)])
    try:
        until = time.monotonic() + 120
        while len(list(tmp_path.glob("work/*.json"))) < 1 and time.monotonic() < until and child.poll() is None:
            time.sleep(0.02)
        os.kill(child.pid, signal.SIGKILL)
    finally:
        child.kill()
    assert child.wait() == -signal.SIGKILL  # it had not come to its end
    kept = {p: p.stat().st_mtime_ns for p in tmp_path.glob("work/*.json")}
    assert 1 <= len(kept) < len(resumed.CONFIG.grid)
    again = resumed.run(tmp_path / "again", tmp_path / "work")
    assert {p: p.stat().st_mtime_ns for p in kept} == kept  # read back, not made anew
    assert str(again) == str(resumed.run(tmp_path / "whole", None))
