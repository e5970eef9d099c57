# ---
# jupyter:
#   jupytext:
#     cell_metadata_filter: jupyter,tags,mystnb,-all
#     notebook_metadata_filter: jupytext,kernelspec,-jupytext.text_representation.jupytext_version
#     text_representation:
#       extension: .py
#       format_name: percent
#       format_version: '1.3'
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Benchmarks
#
# **How much faster are the helpers than what a reader would write?**
#
# A grid of a few thousand tiny models is slow for a dull reason: each training step of each model costs a dozen calls into the library, and the calls
# take longer than the arithmetic. The book's engines train all models of one shape together, and they train context-free models on a counted
# table of transitions instead of on the tokens it was counted from. Both should give the same losses, and give them sooner.
#
# Every committed benchmark first holds all sides to the same answer, then times them in one process, seven times or more, compilation apart. The scripts are in
# `benchmarks/`; this page shows their committed results and computes nothing but ratios.

# %% jupyter={"source_hidden": true} tags=["hide-input"]
import itertools

import pandas as pd

from helpers import chapter, figures, files
from helpers.figures import ROLE

# %% tags=["parameters"]
profile: str = "quick"  # quick | full: no difference here, the page shows committed results

# %% jupyter={"source_hidden": true} tags=["settings", "hide-input"]
here = chapter.start("benchmarks", profile=profile, device="cpu")

# %% jupyter={"source_hidden": true} tags=["hide-input"]
found = [files.read_json(path) for path in sorted(here.reference.glob("*.json"))]


def reached(result: dict) -> list[dict]:
    """A row a goal of one benchmark: the ratio of medians that was reached, and the one that was wanted."""
    sizes = [{"side": f"ours, {r['prompts']} prompts", "peer": "hooked bridge"} | r for r in result.get("rows", ())]
    goals = [{"ratio": r["times_faster"], "wanted": r["goal"]} | r for r in sizes]
    return [
        {
            "device": result["provenance"]["device"],
            "ratio": f"{g['side']} / {g['peer']}",
            "reached": g["ratio"],
            "goal": g["wanted"],
            "": "PASS" if g["ratio"] >= g["wanted"] else "FAIL",
        }
        for g in result.get("goals", goals)
    ]


results, stores = ([r for r in found if r["benchmark"] == kind] for kind in ("encoding", "dtdr"))
others = [r for r in found if r["benchmark"] not in ("encoding", "dtdr")]

# %% [markdown]
# ## Training thousands of small models
#
# One model-step is one Adam step of one model (50 tokens, 64 hidden units, codes of up to 16 numbers) on 608 transitions. *Sequential* is a loop over
# models with torch's own optimiser. *vmap* is `torch.func.vmap` over the gradient, all models at once. *stack* is the book's engine in plain torch, *fused* its
# GPU kernel. A peer that reads *tokens* does what a user's loop does; one that reads *counts* was given the book's table as well.

# %% jupyter={"source_hidden": true} tags=["hide-input"]
rows, goals = [], []
fig = figures.figure("How many model-steps in a second?", "model-steps per second", "", height=420)
for result, color in zip(results, itertools.cycle((ROLE["control"], ROLE["precise"]))):
    device = result["provenance"]["device"]
    medians = {}
    for side, run in result["speeds"].items():
        speed = pd.Series(run["model_steps_per_second"])
        medians[side] = speed.median()
        rows.append(
            {
                "device": device,
                "side": side,
                "models at once": run["models"],
                "model-steps/s, median": f"{speed.median():,.0f}",
                "least … most": f"{speed.min():,.0f} … {speed.max():,.0f}",
                "runs of 600 steps an hour": f"{speed.median() * 6:,.0f}",
            }
        )
    fig.add_bar(x=list(medians.values()), y=list(medians), orientation="h", name=device, marker={"color": color})
    goals += reached(result)
fig.update_xaxes(type="log")
fig.update_yaxes(autorange="reversed")
best = max(goals, key=lambda g: g["reached"])
figures.show(
    fig,
    f"The largest ratio is {best['ratio']} on {best['device']}: {best['reached']:,.0f} times. The axis is logarithmic.",
)

# %% jupyter={"source_hidden": true} tags=["hide-input"]
display(chapter.table(pd.DataFrame(rows), "Model-steps per second, median and range"))
chapter.table(pd.DataFrame(goals), "Ratios of medians, and the goals that were set before", digits=2)

# %% [markdown]
# ## How equal is equal
#
# Before the clock starts, each side trains the same models for 25 steps from the same start, and each final loss is held to that of the sequential loop in
# double precision. The table shows the largest difference, in nats. Over many more steps all paths part, the sequential loop's in single precision
# from its own in double as well: where a gradient is nothing but rounding error, Adam's first steps follow its sign.

# %% jupyter={"source_hidden": true} tags=["hide-input"]
equal = [
    {"device": r["provenance"]["device"], "side": side, "largest difference": gap}
    for r in results
    for side, gap in r["differences"].items()
]
chapter.table(
    pd.DataFrame(equal), "Largest difference of any model's loss from the double-precision loop, nats", digits=2
)

# %% [markdown]
# ## Rebuilding a seven-billion-weight model
#
# A DTDR store keeps one byte a weight and a scale a block. To rebuild a model the codes are read, those that are missing are filled, the transform is undone, and 16-bit weights are
# written. *clone* copies the weights and does nothing else; it reads two bytes a weight where the store has one, so a kernel that loses no time on arithmetic could be faster than a copy.
# *decode* is the book's kernel on all matrices of a Mistral-7B-shaped model at once, at every coefficient or at a share *f*. On a CPU the route through `scipy.fft` is the peer.
#
# Where torchao was installed, *dequantise only* is torchao turning codes and scales into weights without any transform, a lower bound on what it costs with one, and *torchao + Hadamard GEMM* then multiplies by the
# Hadamard matrix and the signs and gives the same weights as *decode*. Both are tuned by `torch.compile` and launched as one recorded graph.

# %% jupyter={"source_hidden": true} tags=["hide-input"]
rows, goals = [], []
groups = {r["provenance"]["device"]: r for r in stores}
sides = {side for r in stores for side in r["speeds"]}
fig = figures.figure("How many weights in a second?", "weights per second", "", height=100 + 30 * len(sides))
for (device, result), color in zip(groups.items(), itertools.cycle((ROLE["control"], ROLE["precise"]))):
    medians = {}
    for side, run in result["speeds"].items():
        speed = pd.Series(run["weights_per_second"])
        medians[side] = speed.median()
        took = f"{1000 * run['weights'] / speed.median():,.1f} ms"
        spread = f"{speed.min():.3g} … {speed.max():.3g}"
        rows.append(
            {
                "device": device,
                "side": side,
                "weights": f"{run['weights']:,}",
                "median": took,
                "least … most, weights/s": spread,
            }
        )
    fig.add_bar(x=list(medians.values()), y=list(medians), orientation="h", name=device, marker={"color": color})
    goals += reached(result)
fig.update_xaxes(type="log")
fig.update_yaxes(autorange="reversed")
missed = [f"{g['ratio']}: {g['reached']:.2f} of {g['goal']:.2f}" for g in goals if g[""] == "FAIL"]
figures.show(
    fig,
    f"{sum(g[''] == 'PASS' for g in goals)} of {len(goals)} goals are met"
    + (f"; missed is {'; '.join(missed)}." if missed else ".")
    + " The axis is logarithmic.",
)

# %% jupyter={"source_hidden": true} tags=["hide-input"]
display(chapter.table(pd.DataFrame(rows), "Time to rebuild or store all matrices"))
display(chapter.table(pd.DataFrame(goals), "Ratios of medians, and the goals that were set before", digits=3))
conditions = [
    {"device": r["provenance"]["device"], "stage": stage, "seconds": pd.Series(times).median()}
    for r in stores
    for stage, times in (r.get("condition") or {}).get("seconds", {}).items()
]
chapter.table(
    pd.DataFrame(conditions), "One condition of the experiment at seven billion weights (random ones of the true shape)"
)

# %% [markdown]
# ## The engines of the other parts
#
# Each is held to its slow and obvious form first. The scripts' own texts say what a peer does and how the two were made equal.

# %% jupyter={"source_hidden": true} tags=["hide-input"]
rows = [{"engine": r["benchmark"]} | goal for r in others for goal in reached(r)]
met = sum(row[""] == "PASS" for row in rows)
chapter.table(
    pd.DataFrame(rows), f"Ratios of medians, and the goals that were set before: {met} of {len(rows)} are met", digits=2
)
