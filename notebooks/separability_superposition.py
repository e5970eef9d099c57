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
# # Suppressor heads
#
# **Some heads of a language model seem to talk the answer down. Do they shout?**
#
# Seed document 003 says that they do. Heads that suppress are its structural case of *allostatic load*: where too many features share too few
# directions, a model must pay in amplitude, and the heads that clean up should stand out by their variance, more than twice that of their
# neighbours. If that were so, one could find such heads from their output alone, and superposition would have a price that can be read off.
#
# Two dull things would look the same. Whoever *defines* a suppressor by what its removal does to the variance has put the answer into the
# definition. And heads of different layers differ in variance whatever they do, so a few heads of a loud layer look loud. Therefore we find
# suppressors by what they do to the answer, on one half of the data, and measure their variance on the other, beside heads of their own layer.
# Then we ask the question behind it where it can be answered exactly: does more superposition go with more amplitude?

# %% jupyter={"source_hidden": true} tags=["hide-input"]
from helpers import chapter, figures
from helpers.chapter import Per
from helpers.separability import superposition as heads
from helpers.separability.superposition import figures as draw
from helpers.separability.superposition import quantities, sentences, tables

# %% tags=["parameters"]
profile: str = "quick"  # quick | full: a minute on two CPU cores, or the reference on one GPU
seeds: int = None  # 2..64: models of each kind, one a seed; None takes the profile's own
device: str = "auto"  # auto | cpu | cuda: where to train; auto takes the GPU when there is one
n_samples: int = None  # 32..100000: sequences of the printed experiment; None takes the profile's own
train_steps: int = None  # 1..10000: gradient steps of the printed experiment; None takes the profile's own
seed: int = 777  # 0..1000000: the first seed of the printed experiment
threshold: float = 1.5  # 1..10: printed, σ² without a head over σ² with it; above it the head is a suppressor
steps: int = None  # 20..20000: gradient steps of the models that read stories; None takes the profile's own
layers: int = None  # 1..8: their layers; None takes the profile's own
model: str = "storyteller"  # none | storyteller | HUB-NAME | FOLDER: a trained model whose heads are counted, too

# %% jupyter={"source_hidden": true} tags=["settings", "hide-input"]
given = {"n_samples": n_samples, "train_steps": train_steps, "seed": seed, "threshold": threshold, "steps": steps}
given |= {"seeds": seeds, "layers": layers, "model": model}
here = chapter.start("separability_superposition", profile=profile, device=device, **given)
s = here.settings(
    seeds=Per(3, 10),
    n_samples=Per(500, 2000),
    train_steps=Per(60, 200),
    batches=Per(5, 20),
    layers=Per(2, 4),
    width=Per(64, 256),
    heads=Per(4, 8),
    hidden=Per(128, 1024),
    length=Per(48, 64),
    steps=Per(300, 3000),
    stories=Per(4800, 60_000),
    batch=Per(16, 64),
    rate=Per(3e-3, 1e-3),
    held=Per(128, 512),
    draws=Per(4, 16),
    read=Per(48, 256),
    shapes=Per(*heads.SHAPES.values()),
    inner=Per((1000, 64), (10_000, 256)),
)
toy = heads.Toy(s.n_samples, s.train_steps, seed, s.seeds, held=s.batches, threshold=threshold)
size = {"layers": s.layers, "width": s.width, "heads": s.heads, "hidden": s.hidden, "length": s.length}
training = {"seeds": s.seeds, "steps": s.steps, "stories": s.stories, "batch": s.batch, "rate": s.rate}
census = heads.Census(**training, **size, held=s.held, draws=s.draws)
trained = heads.Foreign(model, held=s.read)
bottleneck = heads.Bottleneck(s.shapes, seeds=s.seeds, steps=s.inner[0], batch=s.inner[1])
log = here.log(heads.CHAPTERS[here.name])
here.box()

# %% [markdown]
# ## As printed
#
# The document trains a small transformer, two layers of four heads, and calls a head of the first layer a *suppressor* when the variance σ² behind that
# layer rises more than {glue:text}`threshold` times without it. As a cross-check the head's output should be opposed to another head's, with a
# correlation below −0.5. Then it compares the variance of suppressors' outputs with clean heads'. It trains on tokens drawn at random, in which
# there is nothing to learn; we keep that, and add the mask that a model of what comes next must have. If its suppressors exist, removing them
# should push the largest ratio past the threshold.

# %%
heads.run_printed(toy, log)
printed = log.at(part="printed")

# %% jupyter={"source_hidden": true} tags=["hide-input"]
here.say("threshold", f"{threshold:g}")
for name in ("printed_suppressors", "printed_most", "printed_least", "printed_against", "s11_ratio"):
    printed.say(name, quantities.value(name), ".2f")
here.say("compared", log.say_run())

# %%
figures.show(
    draw.boxes(printed),
    "σ² of what heads write at the document's sites, a point a batch and head. No box for suppressors means that none was found: "
    f"{printed.mean(quantities.value('printed_suppressors'), '.1f')} a model.",
)

# %% [markdown]
# The printed definition finds {glue:text}`printed_suppressors` suppressors a model: the largest ratio is {glue:text}`printed_most`, the smallest
# {glue:text}`printed_least`, and the lowest correlation between two heads is {glue:text}`printed_against`. Where the set is empty there is no ratio
# to judge; we count it as 1, so that the printed criterion has an answer: {glue:text}`s11_ratio`. {glue:text}`compared`
#
# What would it take? A head adds to a stream that already holds the token, its position and other heads. To lower the variance of the sum by
# a third it must write nearly the opposite of what the rest holds, at nearly the same size, and nothing in the task rewards that.
#
# ## Made precise: what a head does to the answer
#
# Here models read stories in which people meet, give things away and are asked who has them; to go on rightly one has to look back. What head $h$ writes at
# a position is $z_h W_O^h$. Its *direct effect* on the token $y$ that follows is what reaches that token's logit, less its average there,
#
# $$ d_h = \langle (z_h - \bar z_h)\, W_O^h,\; u_y - \tfrac1V \textstyle\sum_v u_v \rangle / \text{norm}, $$
#
# with $u$ the unembedding {footcite:p}`elhage2021mathematical`, less what the same output would do for the answers of other stories. A head is a suppressor if its direct effect lies below zero and the right logit rises
# when the head is replaced by its average; or if it lowers the logits of words already told, the more, the more the rest of the model would repeat
# them, as known from copy suppression {footcite:p}`mcdougall2023copy`. Both are decided at 5 % a model, shared among its heads, on half of the
# stories. Variance is $\operatorname{tr}\operatorname{Cov}(z_h W_O^h)$ on the other half, over the median of the heads of its layer that are none.
#
# If suppressors shout, their points lie above the upper line. If variance has nothing to do with it, they lie around zero, among the others.

# %%
heads.run_census(census, log)
if model != "none":
    heads.run_trained(trained, s.draws // 2, log)

# %% jupyter={"source_hidden": true} tags=["hide-input"]
sides, names = log.at(), [n for n in log.frame()["model"].dropna().unique() if n != quantities.STORIES]
sides.say_all(sentences.OF_HEADS)

# %%
figures.show(
    draw.heads(sides, names),
    f"Each point is a head. {sides.mean(quantities.count(), '.1f')} a model are suppressors; the mean of log₂ of their variance over their "
    f"layer's, models without any counted as 0, is {sides.mean(quantities.value('s11_log2_ratio'), '.2f')}, where the document expects more than 1.",
)

# %% jupyter={"source_hidden": true} tags=["hide-input"]
judged = log.verdict()
judged.tell_all(sentences.VERDICTS)
chapter.table(tables.alone(sides.this), "Does the answer hang on the rule? Each reading of “by function” for itself")

# %% [markdown]
# {glue:text}`loud` The models reach {glue:text}`surprise` nats a token, hold {glue:text}`found` suppressors each, of which {glue:text}`copiers` are known by
# what they do to words already told alone (copy suppressors), and the mean log₂ ratio is {glue:text}`ratio`. The table asks whether another reading of *by function* would have said something else; a row whose last number is above 1
# would speak for the document, one below zero for its opposite. {glue:text}`other`

# %% jupyter={"source_hidden": true} tags=["hide-input"]
here.say("other", tables.elsewhere(sides, names))

# %% [markdown]
# ## Would we have seen one?
#
# An empty set may mean that there are no suppressors, or that the instrument is blind. So one is planted: the most helpful head of the last layer is
# turned around its mean, and a share of it kept, so that it says the opposite of what it learned. And every head in turn is made to read another
# story, which leaves it loud and without a function: none of those should be found. At half strength the share found is
# {glue:text}`s11_planted_found`; of heads on another story {glue:text}`s11_false_found`.
#
# A first version of the rule failed the second control. A head that reads another story lengthens the stream, the final norm divides by more, every
# right logit falls a little, and noise passes for suppression. The norm is therefore taken without the head.
#
# ## A census
#
# What the document's definition asks, asked of every head: by how much does the variance at the end change when the head is gone? *Gone* has three
# meanings, and removing anything changes something, so random parts of the attention output, as wide as a head and as large, are removed as well.
# If there were suppressors as printed, some heads would lie above the dotted boxes, and near the upper line.

# %%
figures.show(
    draw.census(sides),
    f"A point is a head of one model; dotted boxes hold 95 % of random removals. The largest ratio with a zero in the head's "
    f"place is {sides.mean(quantities.most('zero'), '.2f')}, mean over models; {sides.mean(quantities.beyond_null('zero'), '.0%')} of heads lie above the box of their layer.",
)

# %% [markdown]
# The largest ratio of a model is {glue:text}`largest`, where the document asks for {glue:text}`threshold`; a share of {glue:text}`above_box` of the heads lies above the box of their layer.
#
# ## Superposition where it can be seen
#
# In the document the variance of suppressors stands for something else, the cost of superposition. That can be had without heads. In the model
# of {footcite:t}`elhage2022toy`, $n$ features that are rarely there pass through $m < n$ dimensions and come back, $x' = \text{ReLU}(W^\top W x + b)$.
# Feature $i$ has a direction $W_i$, and its dimensionality $\|W_i\|^2 / \sum_j (\hat W_i \cdot W_j)^2$ says how much of it the feature has to itself.
# Move the slider. By their account common features should get a direction each, as many as there is room for, less common ones share it as
# opposite pairs, and rare ones come in all five, as a pentagon.

# %%
heads.run_bottleneck(bottleneck, log)
squeezed = log.at(part=("bottleneck", "directions"))
figures.show(
    draw.directions(squeezed),
    "Five features in two dimensions, the seed with the lowest error at each sparsity. A long line is a feature that is held, a point at "
    f"the centre one that is given up. Sparsity runs from {min(bottleneck.sparsities):g} to {max(bottleneck.sparsities):g}.",
)

# %% jupyter={"source_hidden": true} tags=["hide-input"]
squeezed.say_all(sentences.OF_BOTTLENECKS)
squeezed.tell_all(sentences.SEEN)

# %% [markdown]
# Now the question: does superposition cost amplitude? If it does in the document's sense, every line rises, whatever is put on the other axis.

# %%
mean = lambda column, over: squeezed.mean(quantities.follows(column, over), "+.2f")
figures.show(
    draw.amplitude(squeezed),
    f"Each line is one shape, along sparsity. As features grow rarer, superposition goes with the norm of a held feature (rank "
    f"correlation {mean('norm', 'sparsity')}) and with activations ({mean('amplitude', 'sparsity')}).",
)  # fmt: skip

# %% [markdown]
# Along sparsity its rank correlation with the norm of a held feature
# is {glue:text}`norm_sparsity`, with the activation {glue:text}`amplitude_sparsity` and with interference {glue:text}`interference_sparsity`. Along
# the number of dimensions, at one sparsity, these are {glue:text}`norm_m`, {glue:text}`amplitude_m` and {glue:text}`interference_m`, and with the activation
# *a dimension* {glue:text}`density_m`. Two mechanisms may be at work. Features that share directions interfere, and to cut that off the ReLU needs a
# lower threshold, and so a larger feature. The activation as a whole follows how much there is to say, and rare features say little. {glue:text}`two_things`
#
# ## Verdict

# %%
figures.show(
    judged.forest("Are suppressors louder?", "log₂ variance ratio; p", ("S11", "S12")),
    "The precise tests with 95 % intervals over models. Green lies inside the shaded region, red wholly outside, "
    "yellow straddles its border.",
)

# %% jupyter={"source_hidden": true} tags=["hide-input"]
judged.table()

# %% jupyter={"source_hidden": true} tags=["hide-input"]
here.say("told_apart", judged.passed)
judged.probe_table()

# %% [markdown]
# A model holds {glue:text}`found` suppressors, and the mean log₂ of their variance over their neighbours' is {glue:text}`ratio`, and the ratio itself {glue:text}`variance` on average; {glue:text}`with_any` of the models have any. {glue:text}`loud` {glue:text}`one` Labels drawn at random over the heads of every model reach its ratio with p = {glue:text}`s12_p_models`. Within the first model that has a
# suppressor the mean log ratio over stories is {glue:text}`s12_log_ratio`, which speaks of that one head; another model's may say the opposite. Known answers were told apart for {glue:text}`told_apart` claims.
#
# **Limits.** Our models are small and their language is a grammar; in larger ones suppression may be rarer, stronger, or bound to single contexts that an average
# over all words hides. A head is compared with its layer and not with heads of equal strength. What a planted head teaches about power holds for a head
# that is turned around as a whole, not for one that suppresses a single word. And bottlenecks hold features that are independent and equally
# important, which words are not.
#
# ## Exercises
#
# :::{exercise} Another threshold
# :run: ruc run separability_superposition -p threshold 1.01
# :minutes: 2
# :check: printed_suppressors above 0.3
# The document's threshold is a choice. Below which one would the printed definition find suppressors? Predict from the paragraph under the first figure.
#
# +++
# Any threshold below the largest ratio finds some: a box for suppressors appears in the first figure, and the sentence under it gives their ratio.
# :::
#
# :::{exercise} Nothing to learn
# :run: ruc run separability_superposition -p train_steps 100
# :minutes: 2
# :check: printed_most below 1.5
# The tokens of the printed experiment come in no order. Predict what more steps do to the largest ratio of variances.
#
# +++
# With nothing to learn, heads have nothing to oppose: the ratio stays near one.
# :::
#
# :::{exercise} A single layer
# :run: ruc run separability_superposition -p layers 1
# :minutes: 1
# :check: suppressors below 1
# Suppression needs something to suppress, an earlier layer that already says it. Predict whether models of one layer hold suppressors.
#
# +++
# The caption of the second figure counts them. Heads of one layer see only tokens, and none of them hears what another says.
# :::
#
# :::{exercise} A model of your own
# :run: ruc run separability_superposition -p model FOLDER
# :minutes: 2
# :check: elsewhere_log2_ratio below 1
# Count the heads of a model in a folder. Predict how many suppressors it has, and in which layer they lie.
#
# +++
# The menu of the second figure shows its heads; every point names its layer.
# :::
#
# ## References
#
# ```{footbibliography}
# ```
