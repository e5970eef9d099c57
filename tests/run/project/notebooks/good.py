# ---
# jupyter:
#   jupytext:
#     cell_metadata_filter: tags,-all
# ---

# %% [markdown]
# # A notebook that works
#
# It adds.

# %% tags=["parameters"]
profile: str = "quick"  # quick | full: how much work
seed: int = 1  # 0..99: where the numbers start

# %%
import os
import random
from pathlib import Path

from helpers import files

numbers = [random.Random(seed).random() for _ in range(3)]
Path(os.environ.get("RUC_RUN_DIR", "."), "numbers.json").write_text(files.strict_json(numbers))
sum(numbers)
