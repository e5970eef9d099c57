"""How small the tests run each notebook, and how many at a time."""

import os

ABREAST = 1 if "PYTEST_XDIST_WORKER" in os.environ else 2  # most of a notebook is one busy core

SMALL = {  # parameters by notebook: everything the quick profile does, with fewer seeds and steps
    "learned_encoding": {"seeds": 2, "steps": 20, "epochs": 3},
    "encoding_limits": {"seeds": 2, "steps": 20},
    "dtdr_emergence": {"seeds": 1, "texts": 6},
    "dtdr_damage": {"seeds": 1, "texts": 6},
    "dtdr_models": {"seeds": 1, "texts": 6},
    "dtdr_guided": {"seeds": 1, "texts": 6},
    "metric_calibration": {"seeds": 2, "samples_per_class": 40},
    "training_dynamics": {"seeds": 1, "steps": 120, "samples_per_class": 30},
    "phase_one_ablation": {"seeds": 1, "steps": 30, "splitter_steps": 5},
    "separability_grokking": {"seeds": 2, "n_steps": 200},
    "separability_foundation": {"seeds": 2, "n_epochs": 1},
    "separability_superposition": {"seeds": 2, "steps": 20, "train_steps": 5, "model": "none"},
    "separability_repair": {"seeds": 2, "steps": 50, "n_examples": 1},
    "storyteller": {"seeds": 1, "steps": 20},
    "joint_qa": {"seeds": 2, "steps": 4},
    "joint_qa_ablations": {"seeds": 2, "steps": 4},
}
