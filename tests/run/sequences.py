"""Sequences of faults drawn at random, and what must hold after each: `python tests/run/sequences.py --count 200 --seed 0`.

The runner, its store, its locks and its signals are the real ones. In place of papermill and a kernel a small program executes
the notebook, so that a run takes a tenth of a second; with --real it is the real job.
"""

import argparse
import contextlib
import hashlib
import json
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

import psutil

HERE = Path(__file__).resolve().parent
NOTEBOOK = """# %% [markdown]
# # A notebook that adds, with a child of its own

# %% tags=["parameters"]
profile: str = "quick"  # quick | full: how much work
seed: int = 1  # 0..99: where the numbers start

# %%
import os, subprocess, time
from pathlib import Path

from helpers import extra, files

child = subprocess.Popen(["sleep", "600"])
here, work = Path(os.environ["RUC_RUN_DIR"]), Path(os.environ["RUC_WORK_DIR"])

# %%
for n in range(3):
    if not (work / f"{n}.json").is_file():
        time.sleep(0.03)
        files.write_atomic(work / f"{n}.json", files.strict_json([seed * n + extra.MORE]))

# %%
numbers = [files.read_json(work / f"{n}.json")[0] for n in range(3)]
files.write_atomic(here / "records" / "numbers.json", files.strict_json(numbers))
child.kill()
child.wait()
sum(numbers)
"""


class Book:
    """A small project of its own, and what is known to be finished in it."""

    def __init__(self, place, draw, real):
        self.place, self.draw, self.seed, self.more = place, draw, 1, 0
        self.project, self.temp = place / "project", place / "t"
        self.finished = {}
        for folder in (self.project / "notebooks", self.temp):
            folder.mkdir(parents=True)
        (self.project / "_toc.yml").write_text("format: jb-book\nroot: intro\n")
        (self.project / "notebooks" / "adds.py").write_text(NOTEBOOK)
        self._write_helper()
        self.command = [sys.executable, "-P", "-m", "helpers.run.cli"] if real else None
        self.env = {"RUC_ROOT": str(self.project), "TMPDIR": str(self.temp)}

    def _write_helper(self):
        (Path(os.environ[PACKAGE]) / "extra.py").write_text(f"MORE = {self.more}\n")

    @property
    def runs(self):
        return self.project / "runs" / "adds"

    def start(self, room=None):
        """`ruc run adds` in a process of its own. room: bytes that a file can hold before the disk is full."""
        signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)  # in the child until it is ready for them
        pid = os.fork()
        if pid:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS)
            return pid
        code = 70
        try:
            try:
                self._command(room)
            finally:
                signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
        except KeyboardInterrupt:
            code = 130
        except SystemExit as end:
            code = end.code or 0
        except BaseException:
            with contextlib.suppress(OSError):
                os.write(2, traceback.format_exc().encode())
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)

    def _command(self, room):
        words = ["run", "adds", "-p", "seed", str(self.seed)]
        out = os.open(self.place / "out.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(out, 1)
        os.dup2(out, 2)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.environ.update(self.env)
        tempfile.tempdir = None
        if room is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))
        if self.command:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS)
            os.execv(sys.executable, [*self.command, *words])
        from helpers.run import cli, supervise

        supervise.JOB = [sys.executable, "-P", str(HERE / "sequences.py"), "--job"]
        sys.argv = ["ruc", *words]
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS)
        cli.main()

    def wait(self, pid):
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    def moment(self, pid):
        """Wait for a moment of that run: mostly one at which its folder is there, however slow the machine is."""
        ended = lambda: os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if self.draw.random() < 0.75:
            while not any(p.is_dir() for p in self.runs.glob(".*.*")) and not ended():
                time.sleep(0.005)
        time.sleep(self.draw.choice((0.0, 0.02, 0.05, 0.1, 0.2, 0.4)) * (6 if self.command else 1))

    # what may happen

    def run(self):
        code = self.wait(self.start())
        assert code == 0, f"run: {code}"

    def interrupt(self):
        pid = self.start()
        self.moment(pid)
        os.kill(pid, self.draw.choice(STOPS))
        assert self.wait(pid) in (0, 130, -1, -2, -15)  # by the signal itself, before the command has begun

    def kill(self):
        pid = self.start()
        self.moment(pid)
        victims = [pid]
        with contextlib.suppress(psutil.Error):
            jobs = psutil.Process(pid).children()
            victims = self.draw.choice(([pid], [j.pid for j in jobs], [pid, *(j.pid for j in jobs)])) or [pid]
        for victim in victims:
            with contextlib.suppress(ProcessLookupError):
                os.kill(victim, signal.SIGKILL)
        self.wait(pid)

    def fill(self):
        assert self.wait(self.start(self.draw.choice((0, 200, 2000)))) != 70

    def corrupt(self):
        aside = ".failed", ".work"  # its notebook checks pieces of a run that did not end, and this one does not
        found = [p for p in self.runs.glob("[!.]*/**/*") if p.is_file() and not any(kind in str(p) for kind in aside)]
        if not found:
            return
        path = self.draw.choice(sorted(found))
        self.finished.pop(path.relative_to(self.runs).parts[0], None)
        how = self.draw.choice(("gone", "cut", "other", "junk"))
        raw = path.read_bytes()
        if how == "gone":
            path.unlink()
        elif how == "cut":
            path.write_bytes(raw[: len(raw) // 2])
        else:
            path.write_bytes(bytes([raw[0] ^ 1]) + raw[1:] if how == "other" and raw else b"\0junk")

    def helper(self):
        self.more = self.draw.choice((0, 1000, 2000))
        self._write_helper()

    def parameter(self):
        self.seed = self.draw.choice((1, 2, 3))

    def second(self):
        codes = [self.wait(pid) for pid in (self.start(), self.start())]
        assert codes == [0, 0], f"two at once: {codes}"

    # what must hold

    def check(self):
        """No process is left, nothing lies outside the store, and what was finished is as it was."""
        end = time.monotonic() + 20
        while left := [p.pid for p in psutil.process_iter() if self._ours(p)]:
            assert time.monotonic() < end, f"processes are left: {left}"
            time.sleep(0.05)
        outside = {p.name for p in self.project.iterdir()} | {p.name for p in (self.project / "notebooks").iterdir()}
        assert outside <= {"_toc.yml", "notebooks", "runs", "adds.py"}, outside
        for key, content in self.finished.items():
            assert tree(self.runs / key) == content, f"{key} is not what it was"
        for proof in self.runs.glob("[!.]*/run.json"):
            if not proof.parent.suffix and (content := whole(proof.parent)):
                self.finished[proof.parent.name] = content

    def _ours(self, process):
        with contextlib.suppress(psutil.Error, OSError):
            return process.pid != os.getpid() and process.environ().get("RUC_RUN_DIR", "").startswith(str(self.place))
        return False

    def end(self):
        """The next run gives the same records, by sums done here, and nothing but finished runs and their words is left."""
        self.run()
        self.check()
        wanted = [self.seed * n + self.more for n in range(3)]
        found = []
        for path in self.runs.glob("[!.]*/records/numbers.json"):
            content = whole(path.parents[1])
            if content and json.loads(content["run.json"])["parameters"]["seed"] == self.seed:
                found.append(json.loads(path.read_text()))
        assert wanted in found, (wanted, found)
        assert not [p.name for p in self.runs.glob(".*")], "hidden files are left in the store"
        assert not list(self.temp.iterdir()), "temporary files are left"


PACKAGE = "SEQUENCES_PACKAGE"  # the folder of a package that has one module more than the real one
STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
OPERATIONS = ("run", "interrupt", "kill", "fill", "corrupt", "helper", "parameter", "second")


def tree(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in Path(folder).rglob("*") if p.is_file()}


def whole(folder):
    """The content of a finished run whose files are what its proof says; None for one that is not."""
    with contextlib.suppress(ValueError, KeyError, TypeError, OSError):
        content = tree(folder)
        told = json.loads(content["run.json"])["files"]
        digests = {k: "sha256:" + hashlib.sha256(v).hexdigest() for k, v in content.items() if k != "run.json"}
        return content if digests == told else None


def sequence(seed, real=False):
    """One sequence in a folder of its own, which is removed. Raises AssertionError with the seed and what was done."""
    draw = random.Random(seed)
    with tempfile.TemporaryDirectory(prefix="sequence-", dir=os.environ.get("SEQUENCES")) as place:
        book, done = Book(Path(place), draw, real), []
        try:
            for name in draw.choices(OPERATIONS, k=draw.randint(3, 5)):
                done.append(name)
                getattr(book, name)()
                book.check()
            done.append("end")
            book.end()
        except AssertionError as error:
            out = book.place / "out.txt"
            told = out.read_text(errors="replace")[-1500:] if out.is_file() else ""
            raise AssertionError(f"sequence {seed}, {' '.join(done)}: {error}\n{told}") from error
    return done


def job(path):
    """A run of the notebook's cells, as the real job does it: a process of its own is the kernel."""
    from helpers import files
    from helpers.run import channel

    order = json.loads(Path(path).read_text())
    orphaned = channel.attend(order)
    tell = lambda event, **facts: channel.write(order["pipes"]["events"], event, **facts)
    cells = [c["source"] for c in order["notebook"]["cells"] if c["cell_type"] == "code"]
    code = "\n".join([cells[0], *(f"{k} = {v!r}" for k, v in order["parameters"].items()), *cells[1:]])
    env = os.environ | {"RUC_RUN_DIR": order["folder"], "RUC_WORK_DIR": order["work"], "RUC_ROOT": order["root"]}
    kernel = subprocess.Popen(
        [sys.executable, "-P", "-c", code], env=env, start_new_session=True, stderr=subprocess.PIPE
    )
    tell("kernel", pid=kernel.pid)
    tell("cell", index=1, of=len(cells), line="")
    error = kernel.communicate()[1].decode(errors="replace")
    if kernel.returncode:
        tell("failed", error=error[-300:], code=1)
        channel.leave(orphaned, 1)
    try:
        files.write_atomic(Path(order["folder"]) / "notebook.ipynb", json.dumps(order["notebook"], sort_keys=True))
    except OSError as full:
        tell("failed", error=str(full), code=1)
        channel.leave(orphaned, 1)
    tell("done")
    channel.leave(orphaned, 0)


def _with_a_package_of_its_own():
    """This very command again, where `helpers` is the real package and a module that the sequences edit."""
    with tempfile.TemporaryDirectory(prefix="sequences-") as place:
        package = Path(place) / "helpers"
        package.mkdir()
        for path in (HERE.parents[1] / "src" / "helpers").iterdir():
            (package / path.name).symlink_to(path)
        (package / "extra.py").write_text("MORE = 0\n")
        env = os.environ | {"PYTHONPATH": place, PACKAGE: str(package)}
        return subprocess.run([sys.executable, *sys.argv], env=env, check=False).returncode


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--real", action="store_true")
    parser.add_argument("--job")
    given = parser.parse_args()
    if given.job:
        job(given.job)
    if PACKAGE not in os.environ:
        sys.exit(_with_a_package_of_its_own())
    from helpers import sources
    from helpers.run import bar, check, cli, execute  # noqa: F401  loaded once, for all that are forked from here

    sources.light("jupytext")
    failed, done = 0, dict.fromkeys(OPERATIONS, 0)
    for seed in range(given.seed, given.seed + given.count):
        try:
            for name in sequence(seed, given.real)[:-1]:
                done[name] += 1
        except AssertionError as error:
            failed += 1
            print(f"FAILED {error}", flush=True)
    print(f"{given.count - failed} of {given.count} sequences held; {done}")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
