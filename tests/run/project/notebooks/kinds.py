# %% [markdown]
# # A notebook with every kind of parameter

# %% tags=["parameters"]
profile: str = "quick"  # quick | full: how much work
count: int = 3  # 1..10: a whole number in a range
rate: float = 0.5  # 0..1: a number in a range
free: float = -2.0  # any number
flag: bool = False  # yes or no
word: str = "a=b"  # any text
maybe: int = None  # 1..: a number, or the profile's own
text: str = "embedded"  # embedded | PATH: a file
widths: list[int] = [1, 2]  # 1..64: several numbers
names: list[str] = ["a"]  # a | b | c: several of these
device: str = "auto"  # auto | cpu | cuda: where to compute

# %%
print(repr((profile, count, rate, free, flag, word, maybe, widths, names)))
