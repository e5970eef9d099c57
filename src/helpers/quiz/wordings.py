"""The stories' questions in other words: of each kind the plain wording first, then some that mean the same."""

from __future__ import annotations

from collections.abc import Sequence

TEMPLATES = {  # kind: wordings of the question, of the answer; a: what is asked for, x and y: what is asked about
    "who": (
        ("who has the {x} ?", "who holds the {x} ?", "the {x} is with whom ?", "by whom is the {x} held ?"),
        ("{a} .", "{a} has it .", "it is with {a} ."),
    ),
    "where": (
        ("where is {x} ?", "in what place is {x} ?", "where can {x} be found ?", "{x} is in what place ?"),
        ("{a} .", "in the {a} .", "{x} is in the {a} ."),
    ),
    "colour": (
        (
            "what colour is the {x} ?",
            "of what colour is the {x} ?",
            "what colour has the {x} ?",
            "the {x} is of what colour ?",
        ),
        ("{a} .", "it is {a} .", "the {x} is {a} ."),
    ),
    "sum": (
        ("what is {x} ?", "how much is {x} ?", "{x} makes what ?", "what does {x} make ?"),
        ("{a} .", "it is {a} .", "it makes {a} ."),
    ),
    "fact": (
        ("what is a {x} made of ?", "of what is a {x} made ?", "from what is a {x} made ?", "a {x} is made of what ?"),
        ("{a} .", "of {a} .", "it is made of {a} ."),
    ),
    "how": (
        ("how is {x} ?", "how does {x} feel ?", "what does {x} feel ?", "{x} is how ?"),
        ("{a} .", "{x} is {a} .", "{x} feels {a} ."),
    ),
    "why": (
        ("why is {x} {y} ?", "for what reason is {x} {y} ?", "what made {x} {y} ?", "{x} is {y} for what reason ?"),
        ("{a} .", "because {a} .", "{x} is {y} because {a} ."),
    ),
}
_ABOUT = {"who": (3, 4), "where": (2, 3), "colour": (4, 5), "sum": (2, 5), "fact": (3, 4), "how": (2, 3), "why": (2, 3)}


def kind_of(question: Sequence[str]) -> str:
    """The kind of a plain question, from its first words."""
    first, second, third = question[:3]
    if first != "what":
        return first
    return "colour" if second == "colour" else "fact" if third == "a" else "sum"


def wordings(kind: str, question: Sequence[str], answer: Sequence[str]) -> tuple[list[list[str]], list[list[str]]]:
    """All wordings of a plain question (words up to '?') and of its answer (words up to '.'), the plain ones first.

    Raises ValueError for a kind that the stories do not have, or words that are no plain question of it.
    """
    if kind not in TEMPLATES:
        raise ValueError(f"kind={kind!r} is unknown; the stories ask {', '.join(TEMPLATES)}")
    first, last = _ABOUT[kind]
    slots = {"x": " ".join(question[first:last]), "y": " ".join(question[3:-1]), "a": " ".join(answer[:-1])}
    questions, answers = ([t.format(**slots).split() for t in each] for each in TEMPLATES[kind])
    if questions[0] != list(question) or answers[0] != list(answer):
        raise ValueError(
            f"{' '.join((*question, *answer))!r} is no plain question of kind {kind!r}; give one of a story"
        )
    return questions, answers
