# %% [markdown]
# # A notebook whose kernel is killed

# %% tags=["parameters"]
profile: str = "quick"  # quick | full: how much work
signal: int = 9  # 1..15: what the kernel sends itself

# %%
import os

os.kill(os.getpid(), signal)

# %%
print("never")
