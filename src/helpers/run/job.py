"""The process that executes one notebook: `python -m helpers.run.job JOB.json`. Its parent watches it (supervise.py).

It writes one JSON event a line on a pipe of its own; what the notebook and its programs print goes to a log. Its exit code,
not the notebook, says whether the run succeeded: papermill leaves a notebook whose kernel was killed with every cell marked
complete. When its parent is gone, it ends itself and all that it started.
"""

from __future__ import annotations

import contextlib
import errno
import html
import json
import os
import re
import sys
from functools import partial
from pathlib import Path

from helpers import files, sources
from helpers.run import channel

nbformat, papermill = sources.light("nbformat"), sources.light("papermill")

from jupyter_client.kernelspec import KernelSpec  # noqa: E402
from jupyter_client.manager import AsyncKernelManager  # noqa: E402
from nbclient.exceptions import DeadKernelError  # noqa: E402
from papermill.engines import NBClientEngine, papermill_engines  # noqa: E402
from papermill.exceptions import PapermillExecutionError  # noqa: E402
from papermill.execute import ERROR_MARKER_TAG  # noqa: E402

FAILED, DIED = 1, 3
LONG = 400  # characters of an error that are told
QUIET = {  # in the kernel only: bars become widget outputs or stderr in a page
    "TQDM_DISABLE": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "TRANSFORMERS_VERBOSITY": "error",
    "PYTHONHASHSEED": "0",
}
KERNEL = [sys.executable, "-P", "-m", "ipykernel_launcher", "-f", "{connection_file}"]
KERNEL += [
    "--IPKernelApp.ignore_cwd=True"
]  # a file of the reader's that is called as a package of ours is not taken for it
BANNER = '<div style="border-left:4px solid #d55e00;padding:.5em">This run failed in {cell}: {error}</div>'


class LocalKernel(AsyncKernelManager):
    """A kernel of this interpreter over IPC: no ports to collide, nothing on the network. It tells its process id.

    The sockets are named here: left alone, they are called kernel-ipc-1 to -5 in the working folder, in every run. So is the
    connection file, which holds the kernel's key and would stay in the temporary folder.
    """

    def __init__(self, **kw):
        place = Path(os.environ["JUPYTER_RUNTIME_DIR"])
        super().__init__(transport="ipc", ip=str(place / "kernel"), connection_file=str(place / "kernel.json"), **kw)
        self._kernel_spec = KernelSpec(argv=KERNEL, language="python", display_name="Python 3")  # this very Python

    async def _async_launch_kernel(self, kernel_cmd, **kw):
        await super()._async_launch_kernel(kernel_cmd, **kw)
        tell("kernel", pid=self.provisioner.pid)

    _launch_kernel = _async_launch_kernel


class Engine(NBClientEngine):
    """papermill's own engine, telling when a cell has started. It keeps what papermill has on the disk alone, which may be
    full: the notebook, and a cell's fault.
    """

    notebook, fault, at = None, None, "the start of the kernel"

    @classmethod
    def execute_managed_notebook(cls, nb_man, *args, **kw):
        start, failed, total = nb_man.cell_start, nb_man.cell_exception, len(nb_man.nb.cells)
        cls.notebook = nb_man.nb

        def cell_start(cell, cell_index=None, **rest):
            start(cell, cell_index, **rest)  # it saves what the cell before it left
            if cell.cell_type == "code":
                cls.at = f"cell {cell_index + 1} of {total}"
                tell("cell", index=cell_index + 1, of=total, line=cell.source.strip().partition("\n")[0][:70])

        def cell_exception(cell, cell_index=None, exception=None, **rest):
            cls.fault = exception
            return failed(cell, cell_index, exception=exception, **rest)

        nb_man.cell_start, nb_man.cell_exception = cell_start, cell_exception
        return super().execute_managed_notebook(nb_man, *args, **kw)


tell = partial(channel.write, -1)  # until the job says on which pipe


def tidy(nb: nbformat.NotebookNode, parameters: dict) -> nbformat.NotebookNode:
    """Take out what differs between two runs of the same key: timings, widget state, transient ids."""
    nb.metadata = nbformat.from_dict(
        {k: v for k, v in nb.metadata.items() if k in ("kernelspec", "language_info")} | {"run": parameters}
    )
    for i, cell in enumerate(nb.cells):
        cell["id"] = f"c{i:03d}"
        for name in ("papermill", "execution"):
            cell.metadata.pop(name, None)
        if "injected-parameters" in cell.metadata.get("tags", ()):
            cell.metadata["tags"] = ["injected-parameters", "remove-cell"]
        if cell.cell_type == "code":
            view = "application/vnd.jupyter.widget-view+json"
            cell.outputs = [o for o in cell.outputs if view not in o.get("data", {})]
    return nb


def execute(job: dict) -> int:
    """Run the notebook of a job in its folder. Returns the exit code."""
    out = Path(job["folder"]) / "notebook.ipynb"
    path = str(out).replace("{", "{{").replace("}", "}}")  # papermill reads a path as a template
    os.environ.update(QUIET | {"RUC_RUN_DIR": job["folder"], "RUC_WORK_DIR": job["work"], "RUC_ROOT": job["root"]})
    papermill_engines.register("ruc", Engine)
    Engine.notebook = nbformat.from_dict(job["notebook"])
    try:
        nbformat.write(Engine.notebook, out)
        papermill.execute_notebook(
            path,
            path,
            parameters=job["parameters"],
            engine_name="ruc",
            progress_bar=False,
            start_timeout=300,
            cwd=job["cwd"],
            kernel_manager_class=LocalKernel,
        )
        nb = nbformat.read(out, 4)
        left = [i for i, c in enumerate(nb.cells, 1) if _waits(c)]
        if left:
            why = f"the kernel ended before cell {left[0]} of {len(nb.cells)} ran; a cell must not end it"
            return _failed(job, out, why, "", DIED)
        files.write_atomic(out, nbformat.writes(tidy(nb, job["parameters"])) + "\n")
    except PapermillExecutionError as error:
        return _failed(job, out, f"{error.ename}: {error.evalue}", "\n".join(error.traceback), FAILED)
    except DeadKernelError:
        return _failed(job, out, "the kernel died (killed, or out of memory?)", "", DIED)
    except OSError as error:  # the notebook could not be saved; what the cell itself says comes first
        if Engine.fault:
            said = f"{Engine.fault.ename}: {Engine.fault.evalue}"
            return _failed(job, out, said, Engine.fault.traceback, FAILED)
        why = f"the notebook could not be saved: {error.strerror or error}"
        return _failed(job, out, why, "", FAILED, full=error.errno == errno.ENOSPC)
    tell("done")
    return 0


def _waits(cell: nbformat.NotebookNode) -> bool:
    return cell.cell_type == "code" and bool(cell.source.strip()) and cell.execution_count is None


def _failed(job: dict, out: Path, error: str, trace: str, code: int, full: bool = False) -> int:
    """Keep what there is, as far as there is room for it, and tell."""
    error, trace = (re.sub(r"\x1b\[[0-9;]*m", "", text) for text in (error, trace))
    with contextlib.suppress(OSError):
        out.unlink(missing_ok=True)  # there is room for one of the two
        files.write_atomic(out.with_name("traceback.txt"), f"{error}\n\n{trace}\n")
        nb = tidy(Engine.notebook, job["parameters"])
        nb.cells = [c for c in nb.cells if ERROR_MARKER_TAG not in c.metadata.get("tags", ())]  # count cells otherwise
        nb.cells.insert(
            0, nbformat.v4.new_markdown_cell(BANNER.format(cell=Engine.at, error=html.escape(short(error))))
        )
        files.write_atomic(out.with_name("partial.ipynb"), nbformat.writes(nb))
    tell("failed", error=short(error), code=code, full=full)
    return code


def short(text: str) -> str:
    """An error's beginning and end, where it is long; the whole is in traceback.txt."""
    text = text.strip()
    return text if len(text) <= LONG else f"{text[: 3 * LONG // 4].rstrip()} … {text[-LONG // 4 :].lstrip()}"


if __name__ == "__main__":
    order = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    tell = partial(channel.write, order["pipes"]["events"])
    orphaned = channel.attend(order)
    code = execute(order)
    channel.leave(orphaned, code)
