# %% [markdown]
# # Mean or median?
#
# **Does the middle of a few numbers say as much as their mean?**

# %%
from helpers import chapter, figures, part
from helpers.chapter import Per
from helpers.part import figures as draw

# %% tags=["parameters"]
profile: str = "quick"  # quick | full: a second, or a minute
seeds: int = None  # 3..64: repetitions; None takes the profile's own
trials: int = 400  # 1..100000: samples of each size
scale: float = 1.0  # 1e-3..1000: spread of the numbers

# %% tags=["settings"]
here = chapter.start("mean_or_median", profile=profile, seeds=seeds, trials=trials, scale=scale)
s = here.settings(seeds=Per(8, 32), trials=400)
config = part.Draws(seeds=s.seeds, trials=s.trials, scale=scale)
log = here.log(part.CHAPTERS[here.name])
here.box()

# %%
part.run_draws(config, log)
log.at().say("loss", part.loss, ".2f")
figures.show(
    draw.errors(log.at()), f"Many numbers bring the mean {log.at().mean(part.gain)} nearer. The median follows above."
)

# %% [markdown]
# The median of four numbers lies {glue:text}`loss` further away.

# %%
verdict = log.verdict()
display(verdict.table(), verdict.probe_table())
verdict.forest("What do the tests say?", "difference of errors")

# %% [markdown]
# ## Exercises
#
# 1. Predict what ten times the spread does to both quantities, then look at the table: `ruc run mean_or_median -p scale 10`.
