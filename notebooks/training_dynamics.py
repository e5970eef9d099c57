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
# # Training dynamics
#
# **Do pupils with a kind teacher first learn to leave things out, and then to draw what is left more smoothly?**
#
# Seed document 001 raises two generators of pictures {footcite:p}`gpn2025`. One plays a cooperative game: a *Witness* learns to read its drawings, a *Judge* that knows real pictures grounds
# them, heavily in the first third of training, by half in the second, by a tenth in the last. The other is a conditional GAN {footcite:p}`mirza2014`. At twenty checkpoints it measures what is drawn, through
# the Judge's features: the dimension, and the holes. It reports two stages. *Compression*: heavy grounding lowers the dimension by 40 % in the first phase. *Refinement*: holes close slowly
# in all phases. The adversary does neither.
#
# If that is so, the dimension should fall where grounding is heavy, fall less where it is light, and end below the adversary's. Dull things would look the same. A dimension falls from where random
# weights put it, whatever one trains on. A cloud that collapses to one drawing a class has few dimensions too. And a loss may not reach what it is said to shape. *What it shows:* eight claims are judged,
# T1 to T7 and T9, with T1b, T2b, T4b and T7b, which were added after the full run; fifteen minutes to read, one to run.

# %% jupyter={"source_hidden": true} tags=["hide-input"]
import torch

from helpers import chapter, data, figures, frames
from helpers.chapter import Per
from helpers.pedagogy import dynamics, whose
from helpers.pedagogy.dynamics import figures as draw
from helpers.pedagogy.dynamics import printed, quantities, sentences, tables

# %% tags=["parameters"]
profile: str = "quick"  # quick | full: a minute on two CPU cores, or three on one GPU
seeds: int = None  # 1..64: repetitions, each with a start and judges of its own; None takes the profile's own
device: str = "auto"  # auto | cpu | cuda: where to train; auto takes the GPU when there is one
dataset: str = "embedded"  # embedded | PATH: scikit-learn's digits, an npz file, or one of MNIST's four IDX files
steps: int = None  # 120..100000: training steps of a generator, three phases in all; None takes the profile's own
scale: str = "profile"  # profile | document: networks of the profile's own size, or of the document's
samples_per_class: int = 100  # 24..128: drawings of a class that are measured
k: int = 20  # 3..20: neighbours that an estimate of dimension looks at

# %% jupyter={"source_hidden": true} tags=["settings", "hide-input"]
given = {"dataset": dataset, "steps": steps, "scale": scale, "samples_per_class": samples_per_class, "k": k}
here = chapter.start("training_dynamics", profile=profile, device=device, seeds=seeds, **given)
s = here.settings(seeds=Per(2, 10), steps=Per(300, 3000))
own = dynamics.QUICK if profile == "quick" else dynamics.FULL
size = {"seeds": s.seeds, "steps": s.steps, "each": samples_per_class, "k": k}
config = (own if scale == "profile" else dynamics.DOCUMENT).at(**size)
log = here.log(dynamics.CHAPTERS[here.name])

# %% [markdown]
# ## The one picture
#
# One body of a generator, one start and one stream of latents a seed; only the losses differ. *As coded* is the document's script. *Wired* is what its text says: the Judge's and the Witness's cross-entropy
# for the requested label both reach the generator, through the two networks held fixed. Beside them stand its adversary and a stronger one, the AC-GAN {footcite:p}`odena2017`. A judge that taught none of
# them is looked through. T is the last training step, and T/3 the end of Phase 1.
#
# If heavy grounding compresses, the wired curve falls before the first dotted line and ends lowest. If training of any kind compresses, all fall. If the document's curve has another cause,
# the arm as coded falls and the wired one does not.

# %%
images = data.load_images(dataset)
dynamics.run_dynamics(config, images, log)
dynamics.run_printed(config, images, log)  # the document's own generator, for the section "As printed"
sides = log.lead()
judged = log.verdict(lead=True)

# %% jupyter={"source_hidden": true} tags=["hide-input"]
here.say("whose", whose.told(log, judged, images.name, s.seeds, s.steps))
known = quantities.known(sides.both)
for name in quantities.TOLD:
    sides.say(name, known(name), ".2f")
sides.say("pull", quantities.pull, ".0f")
sentences.told(sides, "blind", "own_guess", "turns")
mean = lambda arm, column, share, spec=".1f": sides.mean(quantities.measured(arm, column, share), spec)
seen = {arm: (mean(arm, "mackay", 1 / 3), mean(arm, "mackay", 1.0)) for arm in ("wired", "coded", "cGAN", "AC-GAN")}

# %%
figures.show(
    draw.answer(sides, float(quantities.real("mackay")(sides.this).mean())),
    f"Dimension within classes, means over seeds; dotted, the ends of the phases. All begin at {mean('wired', 'mackay', 0.0)}. At T/3 and at T the wired arm has {seen['wired'][0]} and "
    f"{seen['wired'][1]}, the arm as coded {seen['coded'][0]} and {seen['coded'][1]}, the conditional GAN {seen['cGAN'][0]} and {seen['cGAN'][1]}, the AC-GAN {seen['AC-GAN'][0]} and "
    f"{seen['AC-GAN'][1]}." + sides.dashed + sides.source,
)  # fmt: skip

# %% [markdown]
# {glue:text}`whose` In Phase 1 the wired arm's dimension falls by a share of {glue:text}`t1_wired_drop`, by {glue:text}`t1_wired_drop_minus_light` more than under a tenth of the grounding's weight;
# as coded it falls by {glue:text}`t1_coded_drop`. {glue:text}`own_guess`
#
# The document looks for the first time at a twentieth of its steps. From there on the wired arm loses {glue:text}`t1b_wired_drop`; less what the arm as coded loses that is {glue:text}`t1b_drop_minus_coded`, less what
# the conditional GAN loses {glue:text}`t1b_drop_minus_cgan`.
#
# ### What do they draw?
#
# A dimension says how a cloud lies, not what is in it. Move the slider, and look at the arm as coded.

# %% jupyter={"source_hidden": true} tags=["hide-input"]
right = lambda arm: mean(arm, "correct", 1.0, ".0%")
tables.drawn(
    sides,
    f"One drawing of each class, the same latents at every step. At the end other judges take {right('coded')} of the drawings as coded for what was asked, {right('wired')} of the wired ones, "
    f"{right('cGAN')} of the conditional GAN's.",
)  # fmt: skip

# %% [markdown]
# ## Which loss reaches what
#
# The document's generator has the loss
#
# $$L = \| \hat v - \mathrm{sg}(v) \|^2 + g(t)\,\mathrm{sg}(\mathrm{CE}(W(x), \mathrm{argmax}\, J(x))), \qquad g = 1,\ \frac{1}{2},\ \frac{1}{10},$$
#
# where $\hat v$ is what it expects the Witness $W$ to see, $v$ what it sees, and sg cuts the gradient. In its script the second term is detached {footcite:p}`gpn2025`. A term that is cut moves nothing. Here is
# the point in four lines of plain code: the weight $g$ is there, and the gradient does not know it.

# %%
drawing = torch.randn(8, requires_grad=True)
reading = lambda x: (x - 1).square().sum()
losses = {g: drawing.square().sum() + g * reading(drawing).detach() for g in (1.0, 0.1, 123.0)}
gradients = {g: torch.autograd.grad(loss, drawing)[0] for g, loss in losses.items()}

print("loss    ", {g: round(loss.item(), 2) for g, loss in losses.items()})
print("gradient", {g: round(x.norm().item(), 4) for g, x in gradients.items()})

# %% jupyter={"source_hidden": true} tags=["hide-input"]
chapter.table(
    tables.audit(sides),
    "Norm of each term's gradient in the parts of a generator, asked of autograd at the start; 'none' where there is no way",
)

# %% [markdown]
# As coded only the first term is left, and it has no way to the layer that makes the image: the generator learns to be predictable to a reader, and never what to draw. So its three phases are one. The drop with phases less
# that without them is {glue:text}`t1_coded_schedule_minus_constant`: the two are one run.
#
# Wired, the judge's grounding pulls at the middle layers {glue:text}`pull` times as hard as alignment, at the start. All arms are trained by Adam, which divides a gradient by its size: a weight counts only against the other terms. {glue:text}`blind`
# The same is true of the phases' 1, ½ and 1/10.
#
# ## As printed
#
# The document's own generator is larger and lacks the first normalisation; its pedagogical run is measured through its own Judge, its adversary through another. Six predictions were made first.
# They and ours stand in a file whose sha256 this run records.

# %%
curves = sides.map(printed.curves)
written = dynamics.write(log.at(part=("printed", "dynamics")).this, log.folder / "results")

# %% jupyter={"source_hidden": true} tags=["hide-input"]
sides.say("printed_correct", lambda rows: frames.last(frames.rows(rows, part="printed"), ("seed",))["correct"], ".2f")
told = lambda name: sides.mean(known(name), ".2f")
figures.show(
    draw.printed(curves),
    f"The document's two curves, by its own measures. Phase 1 lowers the pedagogical dimension by a share of {told('t1_drop')} and the count by {told('t2_count_drop')}; on average over all "
    f"checkpoints the adversary has {told('t4_difference')} dimensions and {told('t5_printed_difference')} counted holes more." + curves.dashed,
)  # fmt: skip
chapter.table(tables.predictions(sides), "The document's six predictions")

# %% [markdown]
# The drop is from the first checkpoint to the first after a third; the document's report gives 0.40. The generator ends with a share of {glue:text}`printed_correct` right drawings, by judges that taught nobody; chance is
# one in as many as there are classes.
#
# Over all phases the count falls by {glue:text}`t9_printed_fall`. The adversary less the arm as coded, which has the adversary's body and is seen through its judge, is {glue:text}`t4_one_body` in dimension and {glue:text}`t5_one_body` in the
# count. {glue:text}`turns`
#
# ## Made precise
#
# The menu has every measure. The document counts a hole as a bar of a barcode, in its longest tenth; beside this *count* stand the holes by the universal law and what a Gaussian cloud of the same dimension would
# count, beside the *dimension* the variance that is left, and beside the teaching judge others that taught nobody. The tables have every arm; *a tenth* has a tenth of the grounding's weight throughout.

# %%
figures.show(
    draw.measures(sides),
    f"The same arms by every measure. At T the wired arm has a share of {mean('wired', 'feature_variance', 1.0, '.2f')} of the real images' variance within classes, the conditional GAN "
    f"{mean('cGAN', 'feature_variance', 1.0, '.2f')}; the teaching judge takes {mean('wired', 'taught', 1.0, '.0%')} of the wired drawings for right, others {right('wired')}." + sides.dashed,
)  # fmt: skip
first = chapter.table(
    tables.arms(sides, 1 / 3), "Every arm at T/3, means over seeds, and another sample of real images"
)
last = chapter.table(tables.arms(sides, 1.0), "The same at T")
first + last + chapter.table(tables.reach(samples_per_class, k), "The estimate of Gaussian clouds of as many points")

# %% [markdown]
# *Holes.* Phase 1 lowers the wired arm's count by {glue:text}`t2_wired_count_drop`, from the document's first look on by {glue:text}`t2b_wired_count_drop`; from T/3 to T a line through all looks has it fall by {glue:text}`t9_fitted_fall`.
# *Who has more?* The conditional GAN less the wired arm is {glue:text}`t4_cgan_minus_wired` in dimension and {glue:text}`t5_count_difference` in the count. Of the real variance the less varied arm of this pair keeps {glue:text}`t4_variety`, of the
# AC-GAN and the wired arm {glue:text}`t4b_variety`.
#
# *Phases of the adversary.* A break at T/3 or 2T/3 should be larger than breaks at other places. The share of seeds without one is {glue:text}`t6_no_break`; the statistic as fixed sees a planted step of a tenth in a share of
# {glue:text}`t6_planted_break_found`. The adversary's dimension changes by a share of {glue:text}`t6_change` after T/3.
#
# ### What composes?
#
# The document's last word is composition: 100 % for the pedagogical generator, 81 % for its rival. The chapter on [the first phase](phase_one_ablation) takes the task apart. Here it is asked of every arm at the end.

# %% jupyter={"source_hidden": true} tags=["hide-input"]
chapter.table(tables.composed(sides), "The relation X > Y at the end of training, on pairs that were held out")

# %% [markdown]
# Both digits as requested, wired less AC-GAN: {glue:text}`t7_joint_minus_acgan`; wired less conditional GAN: {glue:text}`t7_joint_minus_cgan`. Without any splitter, which is the drawing alone, {glue:text}`t7_alone_minus_acgan` and
# {glue:text}`t7_alone_minus_cgan`.
#
# ## This build
#
# The same code, on this machine.

# %% jupyter={"source_hidden": true} tags=["hide-input"]
mine = log.at()
figures.show(
    draw.answer(mine, float(quantities.real("mackay")(mine.this).mean())),
    f"Dimension within classes in this build. The wired arm has {mine.mean(quantities.measured('wired', 'mackay', 1 / 3), '.1f')} at T/3.",
)
chapter.table(tables.arms(mine, 1.0), f"Every arm of this build at T, on {images.name}")

# %% [markdown]
# ## Verdict

# %%
figures.show(
    judged.forest("What do the phases do to the dimension?", "share of the dimension", ("T1", "T1b", "t3_dimension")),
    "Changes in time, 95 % intervals over seeds. Green lies inside the shaded region, red wholly outside, yellow straddles its border, grey has too few seeds.",
)
figures.show(
    judged.forest("And to the count?", "bars", ("T2", "T2b", "t3_count", "T9")),
    "Changes of the document's count in time, with the same intervals and colours.",
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
# Do the pupils of the kind teacher first leave things out? {glue:text}`fork` {verdict}`T1b` {glue:text}`refines` {verdict}`T9`
#
# {glue:text}`compresses` {verdict}`T1` {glue:text}`stable` {verdict}`T3` {glue:text}`holes` {verdict}`T2` {glue:text}`holes_begun` {verdict}`T2b` {glue:text}`rival` {verdict}`T4` {glue:text}`other_rival` {verdict}`T4b`
# {glue:text}`more` {verdict}`T5` {glue:text}`breaks` {verdict}`T6` {glue:text}`composes` {verdict}`T7` {glue:text}`rivals_fail` {verdict}`T7b` Known answers, planted into the same scatter and taken out of it, were told apart for
# {glue:text}`told_apart` claims.
#
# **Limits.** *Wired* is our reading of what the document means; grounding through the judge alone, or the witness alone, would be another. Seeds have judges of their own, so that intervals hold over judges too; the two that score are the same for all. Phases here differ
# in a weight, under Adam; of phases of another kind this page says nothing. Nor does it judge the document's "necessary but not sufficient", "consistently higher" and "no systematic trends". At the scale `profile` networks are narrower than the document's, steps fewer,
# and the rate is higher, for its own run as well; splitters learn in fewer steps, too. `scale=document` has its widths. All arms share one rate, which was tuned for none of them.
#
# **Open questions.** Does the arm as coded end below its adversary if it is given the document's ten thousand steps? What does a game do that pays for variety?
#
# ## Exercises
#
# :::{exercise} A hundred steps more or less
# :run: ruc run training_dynamics -p steps 150
# :minutes: 1
# :check: t7_random_relation above 0.8
# Half the steps are half a school. Which arm's dimension at T will differ most from this build's table: one that still learns to draw, or the one that never does?
#
# +++
# Compare the two tables. The measure of composition will not notice: a generator with random weights passes it before and after.
# :::
#
# :::{exercise} Nearer neighbours
# :run: ruc run training_dynamics -p k 5
# :minutes: 2
# :check: t1_coded_schedule_minus_constant below 1e-9
# The estimate looks at twenty neighbours of a hundred. With five it is noisier and less biased. Will an order of arms change? And which difference cannot, whatever is measured?
#
# +++
# The arm as coded with phases and without them is one run, so any measure of their difference is zero.
# :::
#
# :::{exercise} Fewer drawings
# :run: ruc run training_dynamics -p samples_per_class 50
# :minutes: 1
# :check: t2_wired_count_drop below 1.0
# The count is a tenth of the bars, and bars grow with points. With half the drawings, what becomes of the document's threshold of one hole?
#
# +++
# It asks for twice as much: the same change of shape moves half as many bars. A threshold on a count means nothing without its n.
# :::
#
# ## References
#
# ```{footbibliography}
# ```
