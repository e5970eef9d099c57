"""The Sphinx extension: live figures without a network, verdict badges, provenance footers, ledger and status pages."""

from __future__ import annotations

from helpers import __version__


def setup(app):
    """Sphinx calls this."""
    from helpers.book import formulas, lean, ledger, pages, plots

    plots.setup(app)
    ledger.setup(app)
    pages.setup(app)
    formulas.setup(app)
    lean.setup(app)
    return {"version": __version__, "parallel_read_safe": True, "parallel_write_safe": True}
