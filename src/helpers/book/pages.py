"""Small repairs to the pages that Jupyter Book 1 writes: nothing from a network, no script twice, launch buttons that work."""

from __future__ import annotations

from helpers.run.build import CHAPTERS


def repair(app, pagename, templatename, context, doctree) -> None:
    """Drop thebe (it is fetched from a CDN), double inline scripts, and point launch buttons to the source notebooks."""
    seen, kept = set(), []
    for script in context.get("script_files", []):
        body = (getattr(script, "attributes", None) or {}).get("body") or ""
        name = str(getattr(script, "filename", script) or "")
        if "thebe" in name.lower() or "THEBE" in body or (body and body in seen):
            continue
        seen.add(body)
        kept.append(script)
    context["script_files"] = kept
    for button in context.get("header_buttons", []):
        for item in button.get("buttons", [button]):
            if isinstance(item.get("url"), str) and "_sources/" not in item["url"]:  # that one is the page's own download
                item["url"] = item["url"].replace(f"{CHAPTERS.as_posix()}/", "notebooks/")


def setup(app) -> None:
    app.connect("html-page-context", repair, priority=900)
