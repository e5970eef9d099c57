"""The resume cache: what was computed once, kept by what it was computed from and by the code that computed it.

A key is anything with a printable form that tells its content (a frozen config, digests, seeds). An edited helper changes
`code`, and what the old code computed is not found any more.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

from helpers import files


def short(value: object) -> str:
    """Sixteen hex digits that tell a value from all others, by its printable form.

    Raises TypeError for arrays and tensors, whose printed form leaves entries out: give their digest instead.
    """
    text = repr(value)
    if "array(" in text or "tensor(" in text:
        raise TypeError(f"{text[:60]}… does not tell all of its entries; give a digest of them as the key")
    return files.digest(text)[7:23]


class Work:
    """A folder of finished pieces of work; without a folder nothing is kept. code: the digest of what computes them."""

    def __init__(self, folder: str | Path | None, code: str = ""):
        self.folder, self.code = Path(folder) if folder else None, code

    def tensors(self, key: object, compute: Callable[[], Mapping]) -> dict:
        """{name: tensor on the CPU}: read back, or computed and kept. A damaged file is computed again."""
        from helpers import checkpoints  # needs torch; rows do not

        path = self._path(key, "safetensors")
        return checkpoints.once(path, compute) if path else {k: v.detach().cpu() for k, v in compute().items()}

    def rows(self, key: object, compute: Callable[[], list[dict]]) -> list[dict]:
        """A list of JSON objects: read back, or computed and kept. A damaged file is computed again."""
        path = self._path(key, "json")
        if path and path.is_file():
            try:
                found = files.read_json(path)
                if isinstance(found, dict) and found.get("sha256") == _sum(found.get("rows")):
                    return found["rows"]
            except ValueError:
                pass
            path.unlink(missing_ok=True)
        rows = json.loads(files.strict_json(compute()))  # the same whether computed or read back
        if path:
            files.write_atomic(path, files.strict_json({"rows": rows, "sha256": _sum(rows)}))
        return rows

    def _path(self, key: object, suffix: str) -> Path | None:
        return self.folder / f"{short((self.code, key))}.{suffix}" if self.folder else None


def _sum(rows: object) -> str:
    return files.digest(files.strict_json(rows, compact=True))
