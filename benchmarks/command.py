"""How long the command itself takes: help, the words that look at the whole book, a run with nothing to do, and what a run
costs beyond its kernel's own start. `python benchmarks/command.py` prints seconds of wall time, the least of several tries,
and of processor time; ends with 1 where one is above its limit."""

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LIMITS = {"--help": 0.4, "list": 1.0, "status": 1.0, "claims": 1.0, "run good": 1.0, "a run, beyond its kernel": 2.0}
START = """import sys, tempfile
from jupyter_client.manager import start_new_kernel
manager, client = start_new_kernel(kernel_name="python3")
client.execute_interactive("1", timeout=60)
client.stop_channels()
manager.shutdown_kernel(now=True)
"""


def timed(command, env, tries):
    """The least wall time and the least processor time in seconds of several tries."""
    wall, cpu = [], []
    for _ in range(tries):
        before, clock = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        subprocess.run(command, env=env, check=True, capture_output=True)
        wall.append(time.perf_counter() - clock)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu.append(after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)
    return min(wall), min(cpu)


def measure(tries):
    """{what: (wall, processor) seconds}, of the book's own sources with an empty store, and of the fixture project."""
    ruc, found = [sys.executable, "-P", "-m", "helpers.run.cli"], {}
    with tempfile.TemporaryDirectory() as place:
        small = Path(place) / "project"
        shutil.copytree(ROOT / "tests" / "run" / "project", small)
        (Path(place) / "runs").mkdir()
        env = os.environ | {"PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"}
        book, fixture = env | {"RUC_ROOT": str(ROOT)}, env | {"RUC_ROOT": str(small)}
        for word in ("--help", "list", "status", "claims"):
            command = [*ruc, "--runs", f"{place}/runs", word]
            subprocess.run(command, env=book, check=False, capture_output=True)  # what is kept to be read faster
            found[word] = timed(command, book, tries)
        for _ in range(2):  # the second keeps what it reads, beside the first one's run
            subprocess.run([*ruc, "run", "good"], env=fixture, check=True, capture_output=True)
        found["run good"] = timed([*ruc, "run", "good"], fixture, tries)
        kernel = timed([sys.executable, "-c", START], fixture, tries)
        run = timed([*ruc, "run", "good", "--force"], fixture, tries)
        found["a run, beyond its kernel"] = (run[0] - kernel[0], run[1] - kernel[1])
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tries", type=int, default=5)
    found, late = measure(parser.parse_args().tries), []
    for what, (wall, cpu) in found.items():
        late += [what] if wall > LIMITS[what] else []
        print(f"{what:26} {wall:6.2f} s, {cpu:5.2f} s of processor; at most {LIMITS[what]} s")
    sys.exit(bool(late))


if __name__ == "__main__":
    main()
