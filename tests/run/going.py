"""A run of the fixture project, planned and executed."""

from helpers.run import execute


def go(project, name, /, **options):
    given = options.pop("given", {})
    return execute.run(project, execute.plan(project, name, given, texts=False), **options)
