"""Small grey pictures as text: in a record they are kept, in a table they are shown."""

from __future__ import annotations

import base64
import html
import struct
import zlib

import numpy as np

from helpers.figures import Output

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def png(pixels: np.ndarray) -> str:
    """A grey picture (height, width) uint8 as PNG of sixteen greys in base64. Raises ValueError for other arrays."""
    if pixels.ndim != 2 or pixels.dtype != np.uint8 or not pixels.size:
        raise ValueError(f"pixels are {pixels.dtype} {pixels.shape}; expected uint8 (height, width)")
    high, wide = pixels.shape
    greys = np.pad(np.round(pixels / 17).astype(np.uint8), ((0, 0), (0, wide % 2)))
    packed = greys[:, ::2] << 4 | greys[:, 1::2]  # (high, ⌈wide / 2⌉): two pixels a byte
    rows = np.concatenate([np.zeros((high, 1), np.uint8), packed], 1)  # a row begins with its filter, none
    head = struct.pack(">IIBBBBB", wide, high, 4, 0, 0, 0, 0)
    parts = [(b"IHDR", head), (b"IDAT", zlib.compress(rows.tobytes(), 9)), (b"IEND", b"")]
    return base64.b64encode(SIGNATURE + b"".join(_chunk(*p) for p in parts)).decode()


def strip(images: np.ndarray, gap: int = 2) -> np.ndarray:
    """(height, …) uint8: pictures (n, 1, height, width) in [−1, 1] side by side, a grey gap between two."""
    grey = np.round((np.clip(np.asarray(images, float)[:, 0], -1, 1) + 1) * 127.5).astype(np.uint8)
    between = np.full((grey.shape[1], gap), 128, np.uint8)
    parts = [part for one in grey for part in (between, one)]
    return np.concatenate(parts[1:], 1)


def shown(text: str, told: str, high: int = 40) -> Output:
    """A picture of `png` as a cell of a table. told: what it shows, in words; high: pixels on the page."""
    look = f"height:{high}px;width:auto;image-rendering:pixelated;margin:0;padding:0;background:none"
    source = f"data:image/png;base64,{text}"
    markup = f'<img class="dark-light" src="{source}" alt="{html.escape(told)}" style="{look}">'
    return Output({"text/html": markup, "text/plain": f"[{told}]"})


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
