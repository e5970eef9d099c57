"""The runner under faults as a whole: sequences drawn at random, checked after each step; sequences.py runs more of them."""

import os
import subprocess
import sys
from pathlib import Path


def test_twenty_sequences_of_faults_leave_what_was_finished_and_nothing_else():
    """Run, interrupt, kill, a full disk, damaged files, an edited helper, another parameter, two runners at once."""
    count = 220 if os.environ.get("RUC_TEST_ALL") else 20
    command = [sys.executable, str(Path(__file__).with_name("sequences.py")), "--count", str(count), "--seed", "1000"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{count} of {count} sequences held" in done.stdout


def test_a_store_that_forgets_to_sweep_would_be_seen(tmp_path):
    """The harness can fail: with a store that forgets to sweep, a kill leaves files, and some sequence says so."""
    patch = "from helpers.run import store\nstore.Store.sweep = lambda *a, **k: None\n"
    code = f"import sys\nsys.path.insert(0, {str(Path(__file__).parent)!r})\nimport sequences\n"
    code += "import os\nif sequences.PACKAGE in os.environ:\n    " + patch.replace("\n", "\n    ") + "\n"
    script = tmp_path / "broken.py"
    script.write_text(code + "sequences.main()\n")
    done = subprocess.run([sys.executable, str(script), "--count", "6", "--seed", "0"], capture_output=True, text=True)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "hidden files are left in the store" in done.stdout
