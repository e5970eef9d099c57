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
# # The first phase alone
#
# **If the first third of a lesson teaches all that the pupil will need, what were the other two thirds for?**
#
# Seed document 001 raises a generator of pictures in three phases {footcite:p}`gpn2025`. In the first, a judge's opinion counts fully; then half; then a tenth. It finds that the
# dimension of what is drawn falls in the first phase and that holes close slowly in all of them, and asks at its end: *which stage is necessary for
# composition?* If the first is enough, "boot camp then deploy" will do. If the rest is needed, "ongoing mentorship" is. It names three outcomes of the experiment that it
# did not make: all of the composition, less, or no more than the 81 % of its adversarial rival.
#
# If boot camp is enough, a generator that is taken out after a third of the steps composes as well as one that stays to the end. Three dull things would look the same. The measure
# may be passed by anybody, taught or not. The phases may not differ in what they teach. And training may simply go on, so that a third of it is enough because a tenth
# was. *What it shows:* one claim is judged, T8, and an exploratory one beside it, T8b, both as they were restated after the full run; ten minutes to read, one to run.

# %% jupyter={"source_hidden": true} tags=["hide-input"]
import torch

from helpers import chapter, data, figures
from helpers.chapter import Per
from helpers.pedagogy import phases, relation, whose
from helpers.pedagogy.phases import figures as draw
from helpers.pedagogy.phases import quantities, sentences, tables

# %% tags=["parameters"]
profile: str = "quick"  # quick | full: a minute on two CPU cores, or three on one GPU
seeds: int = None  # 1..64: repetitions, each with judges and splitters of its own; None takes the profile's own
device: str = "auto"  # auto | cpu | cuda: where to train; auto takes the GPU when there is one
dataset: str = "embedded"  # embedded | PATH: scikit-learn's digits, an npz file, or one of MNIST's four IDX files
steps: int = None  # 30..100000: training steps of a generator, three phases in all; None takes the profile's own
scale: str = "profile"  # profile | document: networks and judges of the profile's own size, or of the document's
splitter_steps: int = None  # 1..20000: in which a splitter learns what to ask; None takes the profile's own

# %% jupyter={"source_hidden": true} tags=["settings", "hide-input"]
given = {"seeds": seeds, "dataset": dataset, "steps": steps, "scale": scale, "splitter_steps": splitter_steps}
here = chapter.start("phase_one_ablation", profile=profile, device=device, **given)
s = here.settings(seeds=Per(2, 10), steps=Per(300, 3000), splitter_steps=Per(80, 600))
own = phases.QUICK if profile == "quick" else phases.FULL
ablation = (own if scale == "profile" else phases.DOCUMENT).at(
    seeds=s.seeds, steps=s.steps, splitter_steps=s.splitter_steps
)
log = here.log(phases.CHAPTERS[here.name])

# %% [markdown]
# ## The one picture
#
# The document composes two digits in one picture, [X][>][Y] with X > Y. A frozen generator of single digits draws both. What it is asked for is settled: the label x, the label y.
# What is learned is a *splitter*, a small network that makes two latents out of one. It is trained on 41 of the 45 pairs, and tried on the other four.
# The document's measure is the share of pictures in which a relation judge, the same one that taught the splitter, finds X > Y. Ours is stricter: *both digits are the ones that were asked
# for*, by judges that taught nobody. T is the last training step, T/3 the end of the first phase; T/30 and T/300 lie within it.
# *As coded* is a generator of the document's script; the *wired* one is of its text: the Judge's and the Witness's cross-entropy for the requested label both reach it, through the two networks held fixed.
#
# If the first phase is enough, the blue points are as high at T/3 as at T, and low at T/30. If they are high at T/30 too, nothing is learned about phases. If the
# document's measure measures composition, it is low for a generator with random weights.

# %%
images = data.load_images(dataset)
phases.run_phases(ablation, images, log)
sides = log.lead()
judged = log.verdict(lead=True)
asked = relation.requests(images.classes)

# %% jupyter={"source_hidden": true} tags=["hide-input"]
here.say("whose", whose.told(log, judged, images.name, s.seeds, s.steps))
here.say("asked", asked)
sentences.told(sides, images.classes)
for name in quantities.TOLD:
    sides.say(name, quantities.named(name), ".2f")

# %% jupyter={"source_hidden": true} tags=["hide-input"]
joint = lambda arm, at: sides.mean(quantities.measured("joint", arm, at), ".0%")
seen = lambda arm, at: sides.mean(quantities.measured("relation", arm, at), ".0%")
figures.show(
    draw.answer(sides, images.classes),
    f"Held-out pairs, a point a seed. The wired arm's digits are both as requested in {joint('wired', 'dawn')} of the pictures at T/300, {joint('wired', 'early')} at T/30, "
    f"{joint('wired', 'first')} at T/3 and {joint('wired', 'last')} at T. By the document's measure a generator with random weights has {seen('untrained', 'start')}. Rings: the document's measure. Dotted: chance of both digits, "
    f"{images.classes**-2:.2g}." + sides.dashed.replace("Dashed", "Diamonds") + sides.source,
)  # fmt: skip

# %% [markdown]
# {glue:text}`whose` Where the images are of clothes, a digit stands for a class by its number; the pairs that were held out are {glue:text}`asked`.
#
# ## As printed
#
# With x and y what the relation judge reads, and p its probabilities,
#
# $$P(X > Y) = \sum_{i > j} p_x(i)\, p_y(j), \qquad L = -\mathbb{E}\,P(X > Y) + 0.1 \cdot \tfrac12 \left(\mathrm{CE}_x + \mathrm{CE}_y\right).$$
#
# Here is the sum in plain code, beside the helper that sums it by columns.

# %%
left, right = torch.randn(2, 5, images.classes, generator=torch.Generator().manual_seed(0))
p, q = left.softmax(-1), right.softmax(-1)
chance = sum(p[:, i] * q[:, j] for i in range(images.classes) for j in range(i))

print("by hand  ", [round(v, 4) for v in chance.tolist()])
print("by helper", [round(v, 4) for v in relation.above(left, right).tolist()])

# %% [markdown]
# Every request is a pair with X > Y, so the measure never looks at *which* digits came. A splitter that finds some latent for "large" and some for "small" has full marks. And the document's
# "as coded" generator gives it every freedom: its grounding is computed and then cut off from the gradient {footcite:p}`gpn2025`, so that no label ever enters its loss, in any phase. (Its script also lets the generator's normalisation drift while the splitter learns. Here nothing of a generator moves.)
# If that reading is right, random weights and the coded arm pass the document's measure, and pass it as well when the request is turned round.

# %% jupyter={"source_hidden": true} tags=["hide-input"]
chapter.table(tables.drawn(sides, asked), "What the first seed's generators draw with the document's splitter")

# %% [markdown]
# {glue:text}`alike` {glue:text}`pass` random weights have {glue:text}`t8_relation_random` and {glue:text}`turned_random`, the coded arm at T/3 {glue:text}`t8_relation_coded` and {glue:text}`turned_coded`, with both digits right in
# {glue:text}`t8_joint_coded`. {glue:text}`stumbles`
#
# ## Made precise: what else would pass
#
# Four controls go with both digits. *Turned*: the same splitter, and the generator is asked for (y, x); one that hears labels must fail now. *No splitter*: two independent latents. *Product*: the share of right
# first digits times that of right second ones. The two are drawn by two calls that know nothing of each other, so what lies beyond that product comes from easy pairs and easy latents. *Pair known*: the splitter is
# told the pair, by an embedding that for held-out pairs is never trained. That is the one splitter for which a held-out pair could be harder.

# %% jupyter={"source_hidden": true} tags=["hide-input"]
chapter.table(
    tables.controls(sides),
    "Accuracies of each generator, held-out pairs unless the head says otherwise; means over seeds",
)

# %% jupyter={"source_hidden": true} tags=["hide-input"]
for name, column, where in (
    ("turned_random", "relation", {"arm": "untrained", "at": "start", "variant": "swapped"}),
    ("turned_coded", "relation", {"arm": "coded", "at": "first", "variant": "swapped"}),
    ("turned_wired", "relation", {"arm": "wired", "at": "last", "variant": "swapped"}),
    ("plain_wired", "joint", {"arm": "wired", "at": "last", "variant": "none"}),
    ("product_wired", "product", {"arm": "wired", "at": "last"}),
):  # fmt: skip
    sides.say(name, quantities.measured(column, **where), ".2f")

# %% jupyter={"source_hidden": true} tags=["hide-input"]
arms = {"told": ("wired", "last"), "told_random": ("untrained", "start"), "told_gan": ("cGAN", "last")}
sides.say("beyond_gan", quantities.between("joint", ("wired", "last"), ("cGAN", "last")), ".3f")
for name, (arm, at) in arms.items():
    for pairs in ("train", "held"):
        sides.say(f"{name}_{pairs}", quantities.measured("joint", arm, at, variant="pair", pairs=pairs), ".2f")

# %% [markdown]
# Turned round, the wired arm satisfies the relation in {glue:text}`turned_wired`. Without any splitter the wired arm has both digits right in
# {glue:text}`plain_wired`; pair by pair the product of its two digits is {glue:text}`product_wired`. The document's task asks whether a generator draws what it is asked for, twice, from latents that suit it.
#
# **A surprise.** A splitter that knows the pair gets both digits out of *random weights* in {glue:text}`told_random_train` of the pairs it was trained on, though they never learned a label, and in {glue:text}`told_random_held` of
# those that were held out. The wired arm at T has {glue:text}`told_train` and {glue:text}`told_held`, the conditional GAN {glue:text}`told_gan_train` and {glue:text}`told_gan_held`. With the document's splitter, which knows no pair, wired less conditional GAN is
# {glue:text}`beyond_gan` here; [training dynamics](training_dynamics) judges the same difference in a run of its own.
#
# ## More of the same
#
# Stopping at T/3 stops two things, the phases and the steps. So one arm goes on for all T steps in the first phase. Until T/3 it is trained as the wired arm is, and should be
# the same network there: the largest difference of any weight is {glue:text}`moved`. If phases two and three teach what the first cannot, it falls behind the arm that went through them.

# %% jupyter={"source_hidden": true} tags=["hide-input"]
sides.say("moved", lambda rows: rows.query("part == 'prefix'")["moved"].to_numpy(), ".1e")
sides.say("adversary", quantities.between("joint", ("AC-GAN", "last"), ("wired", "last")), "+.2f")

# %% [markdown]
# At T its share of pictures with both digits right, less that of the wired arm, is {glue:text}`t8_more_of_the_same`. The phases differ in a weight, and Adam divides a gradient by its size ([how much is left of a weight](training_dynamics)). The AC-GAN {footcite:p}`odena2017`,
# an adversary that is told classes, less the wired arm, is {glue:text}`adversary`; the document's ceiling of 81 % would put it near −0.19.
#
# ## What the pictures lack
#
# A judge's approval is cheap: one picture a class would do. Variance within a class and coverage {footcite:p}`naeem2020` ask how much of a class's variety is drawn, and a classifier that is taught by the
# pictures alone, then tried on real ones {footcite:p}`ravuri2019`, asks whether they are pictures of the thing. If composition told of understanding, the three would rise with it.

# %% jupyter={"source_hidden": true} tags=["hide-input"]
by = lambda column, arm, at: sides.mean(quantities.varied(column, arm, at), ".0%")
figures.show(
    draw.variety(sides),
    f"A point a seed; the menu picks the measure. Of real test images a classifier taught by the wired arm's pictures knows {by('taught', 'wired', 'first')} at T/3 and {by('taught', 'wired', 'last')} at T; "
    f"taught by the AC-GAN's {by('taught', 'AC-GAN', 'last')}, by as many real images {by('taught', 'real', 'start')}. Variance within a class at T: {by('pixel_variance', 'wired', 'last')} of the real one, "
    f"{by('pixel_variance', 'AC-GAN', 'last')} for the AC-GAN." + sides.dashed.replace("Dashed", "Diamonds") + sides.source,
)  # fmt: skip

# %% [markdown]
# The wired arm's pictures cover {glue:text}`covered` of the real images, the AC-GAN's {glue:text}`covered_adversary`. From T/3 to T what a classifier learns from the wired arm's changes by {glue:text}`later_taught`, their coverage by
# {glue:text}`later_coverage` and their variance by {glue:text}`later_pixel_variance`. Look back at what both drew: which of them would you read, were you not told?
#
# ## This build
#
# The same code, on this machine.

# %% jupyter={"source_hidden": true} tags=["hide-input"]
mine = log.at()
grown = lambda at: mine.mean(quantities.measured("joint", "wired", at), ".0%")
figures.show(
    draw.answer(mine, images.classes),
    f"Held-out pairs in this build, on {images.name}, a point a seed. The wired arm has both digits right in {grown('first')} of the pictures at T/3 and {grown('last')} at T.",
)  # fmt: skip
chapter.table(tables.drawn(mine, asked), f"What the first seed's generators draw in this build, of {images.name}")

# %% [markdown]
# ## Verdict

# %% jupyter={"source_hidden": true} tags=["hide-input"]
sides.say("covered", quantities.varied("coverage", "wired", "last"), ".4f")
sides.say("covered_adversary", quantities.varied("coverage", "AC-GAN", "last"), ".4f")
for column in ("taught", "coverage", "pixel_variance"):
    sides.say(f"later_{column}", quantities.gained(column), "+.3f")

# %%
figures.show(
    judged.forest("Is the first phase enough?", "joint accuracy, T/3 − T", ("t8_joint_difference",)),
    "The test of T8 with its 95 % interval over seeds. Green lies inside the shaded region, red wholly outside, yellow straddles its border, grey has too few seeds.",
)

# %% jupyter={"source_hidden": true} tags=["hide-input"]
judged.tell_all(sentences.VERDICTS)
judged.table()

# %% jupyter={"source_hidden": true} tags=["hide-input"]
here.say("told_apart", judged.passed)
judged.probe_table()

# %% jupyter={"source_hidden": true} tags=["hide-input"]
here.box()

# %% [markdown]
# Does the first third of the lesson teach all that the pupil will need? {glue:text}`answer` {verdict}`T8` At T both digits are right in {glue:text}`t8_joint_final`; T/3 less T is {glue:text}`t8_joint_difference`. {glue:text}`dawn` {verdict}`T8b`
# At T/30 they are right in {glue:text}`t8_joint_early`, at T/300 in {glue:text}`t8_joint_dawn`. What were the other two thirds for? {glue:text}`rest` Known answers were told apart for {glue:text}`told_apart` claims.
#
# **Limits.** *Wired* is our reading of what the document means; grounding through the judge alone, or the witness alone, would be another. Each seed has one splitter, and a relation judge of its own; the two judges that score are the same for all.
# A difference of two points is the margin that was fixed before any run.
#
# **Open questions.** Which of the steps before T/30 is it in which composition comes? Is there a task of two parts in which the parts must know of each other, so that a generator of single digits could fail it?
#
# ## Exercises
#
# :::{exercise} A longer attack
# :run: ruc run phase_one_ablation -p splitter_steps 400
# :minutes: 3
# :check: t8_joint_early below 0.5
# The document trains its splitter for 5,000 steps. Give it five times as many as the quick run: does a generator that has hardly been taught, at T/30, now draw the digits that are asked for?
#
# +++
# It does not, for judges that taught nobody. The splitter sees no label; it finds one latent that the relation judge takes for large beside one that it takes for small, and more steps make it surer.
# :::
#
# :::{exercise} A short school
# :run: ruc run phase_one_ablation -p steps 45
# :minutes: 1
# :check: t8_joint_final below 0.8
# With 45 steps in place of 300, the first phase ends at step 15. Will the difference between T/3 and T grow or shrink, and can it still be judged?
#
# +++
# It grows, since both ends lie where drawing what is asked for is being learned. And nothing could be judged: the claim asks for composition at T, and after 45 steps there is too little of it.
# :::
#
# :::{exercise} Eight seeds
# :run: ruc run phase_one_ablation -p seeds 8
# :minutes: 4
# :check: t8_joint_final above 0.7
# Two seeds decide nothing. Do eight? Guess the width of the interval first: two points on either side are allowed.
#
# +++
# The quick run is short, and its seeds scatter by more than the margin: the interval straddles it. The committed run has ten seeds, and trains ten times as long.
# :::
#
# ## References
#
# ```{footbibliography}
# ```
