"""What ran: the runs behind this build's pages, and the committed references with the command that makes each again."""

from __future__ import annotations

import html

from helpers import numbers
from helpers.book.sheet import FromSheet, Sheet, chapter, copied, linked, table


class Runs(FromSheet):
    """{runs}: what ran, when, on what, for how long, and whether it is of the source as it stands."""

    def markup(self, found: Sheet) -> str:
        rows = []
        for name, page in found.runs.items():
            run = page["run"]
            state = "fresh" if page["fresh"] else "stale" if run else "missing"
            cells = [
                linked(page["title"], chapter(self.env, name)),
                f'<span class="state state-{state}">{state}</span>',
            ]
            if run:
                on = html.escape(run["provenance"].get("device", ""))
                cells += [
                    run["parameters"].get("profile", ""),
                    _day(run["started"][:16].replace("T", " ")),
                    on,
                    numbers.seconds(run["seconds"]),
                ]
                cells += [f"<code>{run['key']}</code>"]
            else:
                cells += ["", "", "", "", html.escape(page["error"])]
            rows.append("<tr>" + "".join(f"<td>{c}</td>" for c in cells) + "</tr>")
        return table("runs", ("chapter", "state", "profile", "started", "on", "took", "key"), rows)


class References(FromSheet):
    """{references}: every committed reference, the command that makes it again, and what it was made on."""

    def markup(self, found: Sheet) -> str:
        rows = []
        for made in found.references:
            name = linked(found.title(made["notebook"]), chapter(self.env, made["notebook"]))
            more = f" <i>({html.escape(made['label'])})</i>" if made["label"] else ""
            on = made["provenance"]
            cells = [
                f"{name}{more}",
                copied(made["command"]),
                html.escape(str(on.get("device", "not noted"))),
                numbers.seconds(made["seconds"]),
                str(made["seeds"]),
                _day(made["date"]),
                f"<code>{html.escape(on.get('commit') or 'none')}</code>",
            ]
            rows.append("<tr>" + "".join(f"<td>{c}</td>" for c in cells) + "</tr>")
        return table("references", ("reference", "command", "machine", "took", "seeds", "date", "commit"), rows)


def _day(text: str) -> str:
    return f'<span class="date">{html.escape(text)}</span>'


def setup(app) -> None:
    app.add_directive("runs", Runs)
    app.add_directive("references", References)
