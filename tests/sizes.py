"""How small the tests run each notebook."""

SMALL = {  # parameters by notebook: everything the quick profile does, with fewer seeds and steps
    "learned_encoding": {"seeds": 2, "steps": 20, "epochs": 3},
    "encoding_limits": {"seeds": 2, "steps": 20},
    "dtdr_emergence": {"seeds": 1, "texts": 6},
    "dtdr_guided": {"seeds": 1, "texts": 6},
    "separability_repair": {"seeds": 2, "steps": 50, "n_examples": 1},
    "storyteller": {"seeds": 1, "steps": 20},
}
