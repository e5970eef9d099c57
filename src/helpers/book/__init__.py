"""The Sphinx extension: live figures without a network, verdict badges, the front, the ledger, methods, changes, status."""

from __future__ import annotations

import zlib
from pathlib import Path

from helpers import __version__


def setup(app):
    """Sphinx calls this."""
    from helpers.book import (
        badges,
        calibration,
        exercise,
        formulas,
        front,
        lean,
        ledger,
        methods,
        pages,
        picture,
        plots,
        reading,
        search,
        spoken,
        status,
    )

    for module in (
        plots,
        calibration,
        badges,
        front,
        picture,
        ledger,
        methods,
        status,
        spoken,
        reading,
        search,
        pages,
        formulas,
        exercise,
        lean,
    ):
        module.setup(app)
    made_by = zlib.crc32(b"".join(path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py"))))
    safe = {"parallel_read_safe": True, "parallel_write_safe": True}
    return {"version": __version__, "env_version": made_by, **safe}  # pages of other code are made again
