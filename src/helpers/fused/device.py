"""Where the kernels run, and what they take."""

from __future__ import annotations

import os
import warnings
from functools import lru_cache

import torch
from torch import Tensor

try:
    import triton

    from helpers.fused import kernels
except ImportError:  # the CPU build of torch comes without it
    triton = kernels = None

FULL = 2**32  # the threshold that keeps every coefficient
FLOATS = (torch.bfloat16, torch.float16, torch.float32)


def available(device: str | torch.device) -> bool:
    """Whether the kernels run on this device: triton at hand, and CUDA or Triton's interpreter; a tiny one is tried once."""
    kind = torch.device(device).type
    known = triton is not None and (kind == "cuda" or os.environ.get("TRITON_INTERPRET") == "1")
    return known and builds(str(device))


@lru_cache(maxsize=64)
def builds(device: str) -> bool:
    """Whether triton can build and run a kernel on this device. Says so, once, where it cannot: without a C compiler, say."""
    x, y = torch.arange(float(kernels.PROBE), device=device), torch.zeros(kernels.PROBE, device=device)
    try:
        with on(x.device):
            kernels.copied[(1,)](x, y, N=kernels.PROBE)
        return torch.equal(x, y)
    except Exception as error:  # whatever a compiler, a driver or triton itself may raise
        why = str(error).strip().partition("\n")[0] or type(error).__name__
        more = "torch does the work, more slowly; Triton needs a C compiler: install one, or name it in CC"
        warnings.warn(f"kernels cannot be built for {device} ({why}); {more}", RuntimeWarning, stacklevel=2)
        return False


def fits(*tensors: Tensor) -> bool:
    """Whether the kernels can take these tensors as they lie: contiguous, and at an address divisible by 16."""
    return all(t.is_contiguous() and t.data_ptr() % 16 == 0 for t in tensors)


def send(tensor: Tensor, device: torch.device) -> Tensor:
    """To the device without waiting for the work that runs there."""
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" != tensor.device.type else tensor


def on(device: torch.device):
    return torch.cuda.device(device if device.type == "cuda" else -1)
