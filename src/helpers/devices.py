"""Which device, which seeds, how much memory, and what a run ran on."""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib import metadata

import numpy as np

from helpers import files


@cache
def cuda_count() -> int:
    """How many CUDA devices this process may use, asked of the driver itself so that torch need not be imported."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None and visible.strip() in ("", "-1"):
        return 0
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return 0
    count = ctypes.c_int(0)
    if driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count)):
        return 0
    return count.value


def resolve(device: str) -> str:
    """'auto' becomes 'cuda' or 'cpu'; anything else is checked.

    Raises ValueError for a name that is no device and RuntimeError for one that this machine does not have.
    """
    if device == "auto":
        return "cuda" if cuda_count() else "cpu"
    kind, _, index = device.partition(":")
    if kind not in ("cpu", "cuda") or (index and not index.isdigit()):
        raise ValueError(f"device={device!r} is unknown; use 'auto', 'cpu', 'cuda' or 'cuda:N'")
    if kind == "cuda" and int(index or 0) >= cuda_count():
        raise RuntimeError(
            f"device={device!r} is not there: this machine shows {cuda_count()} CUDA device(s); "
            "use device='auto' or 'cpu', or check CUDA_VISIBLE_DEVICES and the driver"
        )
    return device


def use(device: str) -> str:
    """`resolve`, and make a GPU that is asked for by number the current one: kernels and recorded graphs go where that is."""
    found = resolve(device)
    if found.startswith("cuda:"):
        import torch

        torch.cuda.set_device(int(found.partition(":")[2]))
    return found


def seed_of(*key: object) -> int:
    """A 63-bit seed from any printable key: the same key gives the same stream whatever runs beside it."""
    return int.from_bytes(hashlib.sha256(repr(key).encode()).digest()[:8], "little") >> 1


def numpy_rng(*key: object) -> np.random.Generator:
    """A numpy generator for this key."""
    return np.random.default_rng(seed_of(*key))


def torch_rng(*key: object):
    """A CPU torch generator for this key; draw on the CPU, so that a seed means the same on every device."""
    import torch

    return torch.Generator().manual_seed(seed_of(*key))


def free_memory(device: str) -> int:
    """Bytes that a device has left for new tensors: on a GPU with those that torch holds but does not use."""
    if not device.startswith("cuda"):
        import psutil

        return psutil.virtual_memory().available
    import torch

    return torch.cuda.mem_get_info(device)[0] + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)


def need_memory(
    needed: int, device: str, what: str, advice: str = "use fewer seeds or smaller widths, or another device"
) -> None:
    """Refuse work that cannot fit before it starts. needed: bytes. Raises MemoryError with both figures and the advice."""
    free = free_memory(device)
    if needed > free:
        raise MemoryError(
            f"{what} needs about {needed / 2**30:.1f} GiB and {device} has {free / 2**30:.1f} GiB free; {advice}"
        )


@cache
def commit(folder: str | os.PathLike | None = None) -> str | None:
    """The commit of the book in this folder, with '+' when tracked files differ from it; None outside a repository, and in one
    that only happens to lie around the book and does not track it.

    RUC_COMMIT names it where the code was copied to without its history.
    """
    if named := os.environ.get("RUC_COMMIT"):
        return named
    git = ["git", "-C", str(folder or files.root())]
    say = lambda *words: subprocess.run([*git, *words], capture_output=True, text=True, check=True).stdout.strip()
    try:
        say("ls-files", "--error-unmatch", "_toc.yml")
        return say("rev-parse", "--short=12", "HEAD") + ("+" if say("status", "--porcelain", "-uno", ".") else "")
    except (OSError, subprocess.CalledProcessError):
        return None


def provenance(device: str = "cpu") -> dict[str, object]:
    """What a result ran on: versions, processor, cores, and the GPU when the device is one."""
    import torch

    facts: dict[str, object] = {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "package": metadata.version("representations-under-constraint") if _installed() else None,
        "system": f"{platform.system()} {platform.machine()}",
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "device": "CPU",
        "commit": commit(),
    }
    if device.startswith("cuda"):
        facts |= {"device": torch.cuda.get_device_name(device), "cuda": torch.version.cuda}
    return facts


def _installed() -> bool:
    try:
        metadata.version("representations-under-constraint")
    except metadata.PackageNotFoundError:
        return False
    return True


@contextmanager
def tf32(on: bool = True) -> Iterator[None]:
    """Single-precision matrix products of a GPU with TF32's ten bits of mantissa in here, several times faster and enough for a
    stochastic gradient, or exact; a CPU multiplies exactly. What was set before comes back."""
    import torch

    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high" if on else "highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
