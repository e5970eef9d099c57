"""How small the tests run each notebook, and how many at a time."""

import os

ABREAST = 1 if "PYTEST_XDIST_WORKER" in os.environ else 2  # most of a notebook is one busy core

SMALL = {  # parameters by notebook: everything the quick profile does, with fewer seeds and steps
    "learned_encoding": {"seeds": 2, "steps": 20, "epochs": 3},
    "encoding_limits": {"seeds": 2, "steps": 20},
    "dtdr_emergence": {"seeds": 1, "texts": 6},
    "dtdr_guided": {"seeds": 1, "texts": 6},
    "storyteller": {"seeds": 1, "steps": 20},
    "joint_qa": {"seeds": 2, "steps": 4},
    "joint_qa_ablations": {"seeds": 2, "steps": 4},
}
