"""What the runner's tests share: the fixture project, found as a user finds it."""

import pytest

from helpers.run.project import Project


@pytest.fixture
def project(project_folder):
    return Project.find()
