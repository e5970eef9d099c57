# %% [markdown]
# # A notebook that fails

# %% tags=["parameters"]
profile: str = "quick"  # quick | full: how much work
divisor: int = 0  # what to divide by

# %%
print("before")

# %%
1 / divisor

# %%
print("never")
