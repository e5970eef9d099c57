"""From `book/claims.yml` and a run's quantities to verdicts.

A claim carries two criteria, each with its date: `printed`, the seed document's own, and `precise`, what it must
mean to be testable. A criterion is a list of tests; a test names a quantity (one value a unit of replication) and the
region in which its interval must lie.

    supported   every test's 95 % interval lies inside its region
    refuted     no test's does, and the (100 − 5/k) % interval of one of the k tests lies wholly outside
    mixed       one test lies inside and another one outside
    undecided   an interval straddles the border, a unit has no value, or the instrument failed its own control
    too few     fewer units than were planned: nothing is decided yet
    arithmetic  the criterion divides one setting by another; there is nothing to be found out
    awaiting    no run has given the quantity yet
"""

from helpers.claims import guards, known, words
from helpers.claims.criteria import Claim, Criterion, Earlier, Test, digest, load, of
from helpers.claims.judge import Verdict, across, counting, examine, judge

__all__ = [
    "Claim", "Criterion", "Earlier", "Test", "Verdict",
    "across", "counting", "digest", "examine", "guards", "judge", "known", "load", "of", "words",
]  # fmt: skip
