"""{exercise}: a question with its command, how long it takes, a folded answer, and the command that checks it."""

from __future__ import annotations

import html
from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.util.docutils import SphinxDirective

from helpers import numbers
from helpers.book.sheet import copied
from helpers.run import exercises
from helpers.run.project import Project


class ExerciseDirective(SphinxDirective):
    """An exercise of a chapter, numbered in the order of the page. What is not whole stops the build."""

    has_content, optional_arguments, final_argument_whitespace = True, 1, True
    option_spec = dict.fromkeys(("run", "minutes", "check"), directives.unchanged)

    def run(self):
        name = Path(self.env.docname).name
        title = self.arguments[0] if self.arguments else ""
        lines = [*(f":{k}: {v}" for k, v in self.options.items()), *self.content]
        try:
            exercise = exercises.parse(name, title, "\n".join(lines))
            exercises.check(Project(root := Path(self.env.srcdir), root / "runs"), exercise)
        except (ValueError, FileNotFoundError) as error:
            return [self.state.document.reporter.error(str(error), line=self.lineno)]
        nth = self.env.temp_data["exercises"] = self.env.temp_data.get("exercises", 0) + 1
        at = self.content.index(exercises.FOLD)
        box = nodes.container(classes=["exercise"])
        minutes = numbers.unit(f"{exercise.minutes:g}", "min")
        head = f"<b>Exercise {nth}</b> {html.escape(title)} <small>about {minutes} on two cores</small>"
        box += nodes.raw("", f'<p class="exercise-title">{head}</p>', format="html")
        self.state.nested_parse(self.content[:at], self.content_offset, box)
        box += nodes.raw("", f"<p>{copied(exercise.command)}</p>", format="html")
        box += nodes.raw("", "<details><summary>Answer</summary>", format="html")
        self.state.nested_parse(self.content[at + 1 :], self.content_offset + at + 1, box)
        check = f"ruc exercise {name} {nth}"
        box += nodes.raw("", f"<p>Check: {copied(check)}</p></details>", format="html")
        return [box]


def setup(app) -> None:
    app.add_directive("exercise", ExerciseDirective)
