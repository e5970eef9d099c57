"""A quiz in the stories' own words: questions in several wordings, five tiers of tasks, and a small model trained on both.

`wordings` gives a story's question and its answer in other words; `task` draws a task of one of `TIERS`; `quizmaster` loads
the model that comes with the book, `make` trains it anew.
"""

from helpers.quiz.master import ASSETS, NAME, answers, make, quizmaster
from helpers.quiz.tasks import TIERS, task
from helpers.quiz.wordings import kind_of, wordings
from helpers.quiz.words import ID, WORDS

__all__ = ["ASSETS", "ID", "NAME", "TIERS", "WORDS", "answers", "kind_of", "make", "quizmaster", "task", "wordings"]
