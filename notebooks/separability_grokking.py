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
# # Grokking
#
# **When a network that learned its sums by heart suddenly understands them, does it stop shouting?**
#
# Train a small transformer on some of all sums modulo a prime. It soon knows its training set by heart and fails on every sum it has not
# seen. Much later, with weight decay, it turns right on those too {footcite:p}`power2022grokking`. The seed document on the conservation of
# separability reads this as a phase transition: before it, the network keeps its answers apart by *amplitude* A, the size of its value weights;
# after it, by *geometry* G, the routing of its attention. If that were so, A should fall while held-out accuracy rises, because
# the one replaces the other, and attention should change its ways at that moment. Without weight decay A should stay, and nothing should happen.
#
# Two dull things look the same. Weight decay shrinks weights, at all times: any norm that falls goes with any accuracy that rises.
# And the network may form the algorithm first, and shed what it no longer needs afterwards, which is how the transition is usually
# read {footcite:p}`nanda2023progress,varma2023`. So the question is one of timing.

# %% jupyter={"source_hidden": true} tags=["hide-input"]
from helpers import chapter, figures
from helpers.chapter import Per
from helpers.separability import grokking, plots
from helpers.separability.grokking import figures as draw
from helpers.separability.grokking import quantities, sentences

# %% tags=["parameters"]
profile: str = "quick"  # quick | full: a minute on two CPU cores, or the document's scale on one GPU
seeds: int = None  # 2..64: repetitions; a seed draws the start and the split; None takes the profile's own
device: str = "auto"  # auto | cpu | cuda: where to train; auto takes the GPU when there is one
condition: str = "all"  # all | high_wd | no_wd: of the document's own experiment
seed: int = 42  # 0..1000000: the first seed
n_steps: int = None  # 200..200000: training steps, of both experiments; None takes the profile's own
p: int = None  # 7..251: the modulus, a prime; None takes the profile's own
share: float = None  # 0.1..0.95: of the unordered pairs, to train on; None takes the profile's own
learning_rate: float = None  # 1e-5..0.1: of both experiments; None takes the profile's own

# %% jupyter={"source_hidden": true} tags=["settings", "hide-input"]
given = {"condition": condition, "seed": seed, "n_steps": n_steps, "p": p, "share": share}
given |= {"learning_rate": learning_rate}
here = chapter.start("separability_grokking", profile=profile, device=device, seeds=seeds, **given)
s = here.settings(
    seeds=Per(4, 10),
    n_steps=Per(1500, 40_000),
    document_steps=Per(400, 50_000),
    p=Per(37, 113),
    share=Per(0.85, 0.55),
    learning_rate=Per(0.02, 0.001),
    d=Per(32, 128),
    mlp=Per(128, 512),
    every=Per(10, 50),
    lag=Per(50, 500),
    products=Per("exact", "tf32"),
    arms=Per(("decay 1", "decay 0"), tuple(grokking.ARMS)),
)
size = {"p": s.p, "seeds": s.seeds, "first": seed, "d": s.d, "mlp": s.mlp}
rate, looked = s.learning_rate, {"every": s.every, "lag": s.lag, "products": s.products}
precise = grokking.Addition(**size, **looked, steps=s.n_steps, share=s.share, rate=rate, arms=s.arms)
paper_size = {"steps": n_steps or s.document_steps, "rate": learning_rate or 0.001}
document = grokking.OrderedAddition(**size, **paper_size, condition=condition)
log = here.log(grokking.CHAPTERS[here.name])
here.box()

# %% [markdown]
# ## The one picture
#
# Three tokens go in, $[a, b, =]$, and the sum modulo $p$ is read at the last. One layer of attention and one of ReLU neurons, no LayerNorm,
# so that norms mean something; the whole training set in every step; AdamW, with a loss that rounding does not reach
# {footcite:p}`nanda2023progress`. If amplitude were traded for
# geometry, A would come down where held-out accuracy goes up, and nowhere else.

# %%
grokking.run_addition(precise, log)

# %% jupyter={"source_hidden": true} tags=["hide-input"]
here.say("compared", log.say_run())
sides = log.at(part="addition")
here.say("s9_null_rate", sides.mean(quantities.named("s9_null_rate"), ".0%"))
for name in quantities.TOLD:
    sides.say(name, quantities.named(name), ".2g")
sides.say_all(sentences.SAID)
sides.tell_all(sentences.TOLD)
mean = lambda name, spec=".2g": sides.mean(quantities.named(name), spec)

# %%
figures.show(
    draw.answer(sides),
    f"With decay 1 the training set is known after {mean('s9_step_memorised')} steps and half of the held-out sums after {mean('s9_step_half')}. "
    f"Of all that A_param loses after memorising, {mean('s9_fall_before', '.0%')} is gone before the transition begins, "
    f"{mean('s9_fall_inside', '.0%')} goes inside it and {mean('s9_fall_after', '.0%')} after it. Without decay, A ends at "
    f"{mean('s10_amplitude_kept')} of what it was." + sides.dashed,
)  # fmt: skip

# %% [markdown]
# The training set is known by heart at step {glue:text}`s9_step_memorised`; held-out accuracy passes one half at step {glue:text}`s9_step_half`, and takes
# {glue:text}`s9_width` steps from 15 to 85 %. Before 15 % lies {glue:text}`s9_fall_before` of the whole fall of A_param; between 15 and 85 %
# lies {glue:text}`s9_fall_inside` of it, and {glue:text}`s9_fall_after` comes only after 85 %, when the sums are understood. {glue:text}`compared`
#
# ## As printed
#
# The document's network is another: tokens $[a, b + p]$ with a LayerNorm before each layer, half of the *ordered* pairs, batches of 128, and a weight
# decay that is added to the gradient, where Adam divides it by the gradient's own size. Its criterion is Spearman's ρ of the velocities of
# accuracy and A_param, between 15 and 85 % held-out accuracy, below −0.3 with $p < 0.01$. Its third figure draws one against the other: a
# transition from A to G would go up and to the left.

# %%
grokking.run_printed(document, log)
paper = log.at(part="printed")
logs = {name: log.folder / "records" / f"audit_log_exp_c_{name}_seed_{seed}.json" for name in document.conditions}

# %% jupyter={"source_hidden": true} tags=["hide-input"]
for name in quantities.PRINTED:
    paper.say(name, quantities.named(name), ".2g")
paper.say_all(sentences.DEAD)
paper.tell_all(sentences.DEAD_TOLD)
mirrored = lambda rows: rows.groupby("seed")["mirrored"].first()
here.say("mirror", paper.mean(mirrored, ".0%"))
here.say("asked", quantities.asked([*paper.both.values()][-1]))

# %%
figures.show(
    plots.plot_phase_diagram(logs),
    f"The document's figure 3, seed {seed} of this run: accuracy against A_param, ○ the start and ★ the end. High decay ends at "
    f"{paper.mean(quantities.named('printed_high_wd_accuracy'), '.0%')} held-out accuracy, no decay at "
    f"{paper.mean(quantities.named('printed_no_wd_accuracy'), '.0%')}.",
)  # fmt: skip

# %% [markdown]
# With a decay of 1 in the gradient the network ends at {glue:text}`printed_high_wd_accuracy` held-out accuracy, with {glue:text}`printed_high_wd_kept` times the A_param it began with.
# Adam divides the decay by the same running size as the gradient, so weights that the loss seldom moves go to zero at full speed. Its loss ends at {glue:text}`printed_loss`, and differs by {glue:text}`printed_off` from that of equal odds for all sums. {glue:text}`dead` Without decay it ends at
# {glue:text}`printed_no_wd_accuracy`, and with {glue:text}`printed_no_wd_kept` times its A_param. Of the held-out sums {glue:text}`mirror` have their mirror image $(b, a)$
# in the training set: a network that has learned only that order does not matter could read those off. The document's ρ needs three rows
# inside its window. {glue:text}`asked`
#
# So give the criterion the transition that it asks for. In our network with decay 1, computed as the document's code does, ρ is
# {glue:text}`s9_document_rho` and its p {glue:text}`s9_document_p`, as if neighbouring rows were independent, which they are not.
#
# ## Made precise
#
# Pairs are split without their mirror images, each in one order. Levels and velocities are both correlated, per step and not per row. But ρ of levels is −1
# of *every* steady fall beside a steady rise. So the timing is held to a null that keeps everything else: A_param's changes
# after memorising are moved around in a circle {footcite:p}`theiler1992`, so that it falls as far and as roughly, at another time. If A falls *because* accuracy rises,
# it should fall further inside the window than nineteen of twenty others, with a lower ρ of velocities.

# %% [markdown]
# Levels have a ρ of {glue:text}`s9_rho_levels`, velocities of {glue:text}`s9_rho_velocities`; the share of seeds in which the fall and the velocities both beat the null is
# {glue:text}`s9_beyond_null`. Is the instrument credulous, or blind? Series that have nothing to do with accuracy, with the same spectrum, beat the null in
# {glue:text}`s9_null_rate` of the trials, where a right one gives 5 %; and an A that is planted to fall as accuracy rises, with the roughness of the true one, shows a ρ of {glue:text}`s9_planted_rho`.
#
# ### Which weights must decay?
#
# If the fall of A were the cause, decay on the value matrix alone should do, and a network whose weights keep one norm should not grok at all. If it is a by-product,
# decay on all others should do as well. A quick run has only the document's two arms; the full profile has eight.

# %%
figures.show(
    draw.arms(sides),
    f"Means over seeds of each arm, a measure at a time. With decay 1, {mean('s9_transitions', '.0%')} of the seeds go from below 15 to above 85 %; without "
    f"decay {mean('s10_no_transition', '.0%')} stay below one half until step {mean('s10_until')}.",
)  # fmt: skip
chapter.table(quantities.arms_table(sides.this), "Every arm of this run: transitions, medians over seeds, and A_param")

# %% [markdown]
# Decay of all but W_V: {glue:text}`others_understood` of the networks understand, and A_param ends at {glue:text}`others_kept` times what it was. Decay of W_V alone:
# {glue:text}`alone_understood`, with {glue:text}`alone_kept` times. One norm kept: {glue:text}`norm_understood`, with {glue:text}`norm_kept` times. Decay stopped when the training set is
# known: {glue:text}`stopped_understood`, with {glue:text}`stopped_kept` times. {glue:text}`must`
#
# ### What forms instead
#
# An algorithm for sums modulo $p$ is known: place the numbers on circles, add angles. Colour says where a number belongs on the circle of the frequency that is strongest in the end. If understanding is a
# change of geometry, this is the place to see it. Move the slider; when do the colours fall into order, before the transition or in it?

# %%
ring = log.at(part="circle")
figures.show(
    draw.circle(ring.this),
    f"The embeddings of the {s.p} numbers in one network with decay 1, in the plane of their strongest frequency in the end, while it learns. "
    f"Half of the held-out sums are right at step {mean('s9_step_half')} on average.",
)  # fmt: skip

# %% [markdown]
# That geometry is in the embedding. The document's G is another: one minus the Jensen–Shannon drift of attention, here on a fixed probe of held-out sums. It
# glosses G twice, as *stability* and as *routing still exploring*, and the two exclude each other; the figure shows stability. If attention settled at the transition, G would rise between 15 and 85 %.

# %%
figures.show(
    draw.progress(sides),
    f"With decay 1: from 15 to 85 % held-out accuracy G changes by {mean('s15_g_rise')}. The menu shows the loss with the key "
    "frequencies alone, which falls when the algorithm forms, and that of the training pairs without them, which rises when memory goes.",
)  # fmt: skip

# %% [markdown]
# G changes by {glue:text}`s15_g_rise` across the window, on a scale that ends at one. Its half-way step leads that of A by {glue:text}`s15_lead_settled` in the
# logarithm of steps. And the colours? In {glue:text}`circles` of the seeds the loss with the key frequencies alone has fallen half of its way before held-out accuracy reaches
# 15 %. {glue:text}`circles_say`
#
# ## Verdict

# %%
judged = log.verdict()
how = "Green lies inside the shaded region, red wholly outside, yellow straddles its border."
figures.show(
    judged.forest("Does amplitude fall with accuracy?", "ρ, or a share", ("S9",)),
    f"The tests of S9 with 95 % intervals over seeds. {how}",
)

# %% jupyter={"source_hidden": true} tags=["hide-input"]
judged.tell_all(sentences.VERDICTS)
judged.table()

# %% jupyter={"source_hidden": true} tags=["hide-input"]
here.say("told_apart", judged.passed)
judged.probe_table()

# %% [markdown]
# **Does it stop shouting?** Of the fall of A_param {glue:text}`fall_before` lies before the transition, {glue:text}`fall_inside` inside it and {glue:text}`fall_after` after it, and in
# {glue:text}`no_further` of the seeds it does not go further inside the window than at other times. {glue:text}`stops`
#
# {glue:text}`falls` {glue:text}`cause` {glue:text}`must` {glue:text}`stays` {glue:text}`trade` The two known answers, an effect planted and its opposite, were told apart for
# {glue:text}`told_apart` claims.
#
# **Limits.** One task, one layer, one optimiser. With three tokens attention has little room to move: it divides between $a$, $b$ and $=$, so its drift is small whatever it does. The
# norm of W_V depends on W_O, which can grow as it shrinks. Timing that agrees would not be a cause; the arms in which single weights decay come nearer to one.
#
# ## Exercises
#
# :::{exercise} A small prime
# :run: ruc run separability_grokking -p p 11
# :minutes: 2
# :check: s9_step_memorised below 1000
# Eleven is a small prime: few sums, and few circles to place them on. Will a network understand it sooner, later or never?
#
# +++
# The table of arms counts the transitions.
# :::
#
# :::{exercise} A tenth of the rate
# :run: ruc run separability_grokking -p learning_rate 0.002
# :minutes: 2
# :check: s10_memorised above 0.5
# A tenth of the learning rate decays the weights a tenth as fast. Predict what happens to the step of the transition.
#
# +++
# Compare *memorised at* with *half held out at* in the table of arms, here and there.
# :::
#
# ## References
#
# ```{footbibliography}
# ```
