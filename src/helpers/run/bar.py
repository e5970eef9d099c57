"""What a terminal shows of a run: a bar by cell, or lines."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from helpers.run.progress import words


class Bar:
    """A bar by cell on a terminal; elsewhere a line a cell, and one every half minute while a long cell runs."""

    def __init__(self, console: Console):
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[line]}"),
            TimeElapsedColumn(),
        )
        self.console, self.bar = console, Progress(*columns, console=console) if console.is_terminal else None
        self.task, self.name, self.far = None, "", ""
        self.said: dict[str, float] = {}  # when each notebook was last heard of

    def __enter__(self):
        if self.bar:
            self.bar.start()
        return self

    def __exit__(self, *_):
        if self.bar:
            self.bar.stop()

    def __call__(self, name: str, event: dict) -> None:
        if event["event"] == "cell":
            self._cell(name, event)
        elif event["event"] == "progress":
            self.far = f"{event['done']} of {event['of']}"
            self.far += f", about {words(event['left'])} left" if "left" in event else ""
            if self.bar and self.task is not None:
                self.bar.update(self.task, line=self.far)
        elif event["event"] == "waiting":
            self.console.print(escape(f"{name}: {event['for']} runs the same; waiting for it (Ctrl-C ends the wait)"))
        elif event["event"] == "changed":
            self.console.print(escape(f"{name}: the finished run does not count: {event['why']}; running it anew"))
        elif event["event"] == "long":
            total, limit = words(event["total"]), words(event["limit"])
            self.console.print(
                f"{name}: about {total} on this machine, and it will be ended after {limit}; --limit {event['ask']} lets "
                "it finish",
                soft_wrap=True,
            )
        elif event["event"] == "alive" and not self.bar and event["seconds"] - self.said.get(name, 0) > 30:
            self.said[name] = event["seconds"]
            self.console.print(f"{name}: still running, {event['seconds']:.0f} s{self.far and f'; {self.far}'}")

    def _cell(self, name: str, event: dict) -> None:
        self.far = ""
        line = escape(event["line"])
        if not self.bar:
            self.console.print(f"{name}: cell {event['index']}/{event['of']}  {line}", soft_wrap=True)
            return
        if name != self.name:
            self.name, self.task = name, self.bar.add_task(name, total=event["of"], line="")
        self.bar.update(self.task, completed=event["index"], line=line[:40])
