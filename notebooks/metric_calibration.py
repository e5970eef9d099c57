# ---
# jupyter:
#   jupytext:
#     cell_metadata_filter: jupyter,tags,mystnb,-all
#     formats: ipynb,py:percent
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
# # What the metrics measure
#
# **If a program says that a set of pictures has nine dimensions and seven holes, what has it seen?**
#
# Seed document 001 trains two networks that draw clothes and compares what they draw by two numbers {footcite:p}`gpn2025`: the intrinsic dimension of a
# judge's features and the holes in each class. Lower is taken for better, since a smooth, low-dimensional set is thought to be easier to
# compose from. Before anyone trains anything, this chapter holds both numbers against clouds whose dimension and holes are known.
#
# If they are what they are called, a cloud without a hole counts none, a ring counts one more than a disc, and a Gaussian cloud of
# dimension eight measures eight. Two dull things would look like findings as well: a count that follows the dimension, and a dimension
# that follows the number of points and the network one looks through. *What it shows:* three claims are judged, T10 to T12; fifteen minutes to
# read, less than one to run.

# %% jupyter={"source_hidden": true} tags=["hide-input"]
import numpy as np

from helpers import chapter, data, devices, figures, topology
from helpers.chapter import Per
from helpers.topology import clouds, playground, quantities, tables
from helpers.topology import figures as draw

# %% tags=["parameters"]
profile: str = "quick"  # quick | full: a minute on two CPU cores, or the reference on one GPU
seeds: int = None  # 2..64: repetitions, each with clouds, images and judges of its own; None takes the profile's own
device: str = "auto"  # auto | cpu | cuda: where to measure and to train; auto takes the GPU when there is one
dataset: str = "embedded"  # embedded | PATH: scikit-learn's digits, an npz file, or one of MNIST's four IDX files
samples_per_class: int = 100  # 24..128: points of a cloud, and images of a class
k: int = 20  # 3..40: neighbours that an estimate of dimension looks at

# %% jupyter={"source_hidden": true} tags=["settings", "hide-input"]
given = {"seeds": seeds, "dataset": dataset, "samples_per_class": samples_per_class, "k": k}
here = chapter.start("metric_calibration", profile=profile, device=device, **given)
s = here.settings(
    seeds=Per(3, 12),
    steps=Per(120, 300),
    batch=Per(64, 128),
    rate=Per(2e-3, 1e-3),
    channels=Per((16, 32), (32, 64)),
    hidden=Per((64,), (512, 256)),
    dimensions=Per((1, 2, 4, 8, 16, 32), (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)),
    noises=Per((0.0, 0.2, 1.0, 2.0, 3.0), (0.0, 0.1, 0.2, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0)),
)
known = topology.Clouds(seeds=s.seeds, n=samples_per_class, k=k, dimensions=s.dimensions, noises=s.noises)
network = {"steps": s.steps, "batch": s.batch, "rate": s.rate, "channels": s.channels, "hidden": s.hidden}
eyes = topology.Eyes(seeds=s.seeds, each=samples_per_class, k=k, **network)
log = here.log(topology.CHAPTERS[here.name])

# %% [markdown]
# ## As printed
#
# The document takes a hundred samples of each class, as a judge's network sees them, and computes two numbers. The first is the estimate of
# Levina and Bickel {footcite:p}`levina2004` with $k = 20$. With $T_j$ the distance of a point to its $j$-th neighbour,
#
# $$\hat m = \frac{k-1}{\sum_{j<k} \ln (T_k / T_j)},$$
#
# averaged over points. (With $k - 2$ above the line it is free of bias where density is even; the document has $k - 1$.) The second counts loops. Draw balls around all points and let them grow: a loop is born when balls close around a gap, and
# dies when the gap is filled. Each gives a bar, from birth to death {footcite:p}`bauer2021ripser`. The published script counts the bars that are longer than
# the 90th percentile of the bars of the same cloud, and averages this over ten classes. Here are both in plain code, on one cloud of dimension eight
# that has no hole.

# %%
points = clouds.cloud("gaussian", samples_per_class, devices.numpy_rng("one cloud"), d=8)
away = np.linalg.norm(points[:, None] - points[None], axis=-1)  # (n, n)
near = np.sort(away, 1)[:, 1 : k + 1]  # (n, k): distances to the k nearest
estimate = ((k - 1) / np.log(near[:, -1:] / near[:, :-1]).sum(1)).mean()
birth, death = topology.barcodes(points).each[0].astype(float).T
long = death - birth
count = (long > np.percentile(long, 90)).sum()

print(f"dimension {estimate:.2f}, by the helper {topology.dimension(points, k=k):.2f}")
print(f"holes {count} of {len(long)} bars, by the helper {topology.percentile_count(topology.barcodes(points))}")

# %% [markdown]
# The comparison is with the cloud's own percentile. Of any barcode a tenth is longer than the 90th percentile of that barcode, as a tenth of any school class is
# taller than nine tenths of it. So the count should be a tenth of the number of bars, hole or no hole, and grow with whatever makes bars. If that is right, clouds
# without a hole count more the more dimensions they have, and a ring, whose one loop is a single bar among few, counts less than they do.

# %%
topology.run_gaussians(known, log)
topology.run_shapes(known, log)
sides, n = log.at(), known.n


# %% jupyter={"source_hidden": true} tags=["hide-input"]
here.say("compared", log.say_run())
for name in (
    "t10_gaussian_count",
    "t10_ring_minus_segment",
    "t10_ring_minus_disc",
    "t10_ring_found",
    "t10_ball_clean",
    "t11_order",
):
    sides.say(name, quantities.named(name), ".2f")
for d in quantities.JUDGED:
    sides.say(f"ratio_{d}", quantities.named(f"t11_ratio_{d}"), ".2f")

# %% jupyter={"source_hidden": true} tags=["hide-input"]
ring = quantities.chosen("count", part="shape", shape="ring", noise=quantities.RING)
at = lambda d: sides.mean(quantities.chosen("count", part="gaussian", n=n, d=d), ".1f")
figures.show(
    draw.count_by_dimension(sides, n, float(np.mean(sides.read(ring)[0]))),
    f"Gaussian clouds of {n} points, ten a seed. None has a hole; the document's count says {at(2)} in two dimensions, {at(8)} in "
    f"eight and {at(32)} in thirty-two, and {sides.mean(ring, '.1f')} for a ring with a little noise. Logarithmic axis." + sides.dashed,
)  # fmt: skip

# %% [markdown]
# A cloud of dimension eight, without a hole, counts {glue:text}`t10_gaussian_count`. The count is a tenth of the bars, and on even clouds it rises with their dimension. The document reports
# 4.4 to 5.7 for one network and 6.4 to 8.0 for the other. Even clouds without a hole reach both; whether real features lie on this curve is another question, and the last figure's clouds answer it. {glue:text}`compared`
#
# ## Play with a barcode
#
# What do you expect when the ring below gets more points, more dimensions, or more noise? More bars, and so a larger count; the long bar itself is longest where noise is small.
# Draw your guess for eighty points in twenty dimensions before you move a slider.

# %% jupyter={"source_hidden": true} tags=["hide-input"]
playground.playground(
    "Left, the first two coordinates of a ring with noise; right, its bars from birth to death, the longest above. Marked: what the document counts, "
    "and what the universal law calls a hole. The page computes it as you move."
)

# %% [markdown]
# ## Made precise: what no noise would show
#
# A count of holes needs to know how long bars get by chance. Bobrowski and Skraba {footcite:p}`bobrowski2023` found that the ratio $\pi$ = death / birth has one law in clouds of
# noise, whatever they are drawn from: with $\ell = \ln\ln\pi - \overline{\ln\ln\pi} - \gamma$, where the overline is the mean over a cloud's bars and $\gamma$ is Euler's constant,
# $p = e^{-e^{\ell}}$. A bar is a hole where $p$ times the number of bars is below 0.05. It is a conjecture, and has to be tried: on a ring
# it should find one hole, until noise has filled it, and on the same ring cut open and laid straight none. The two have one dimension, one density and one noise, and differ by the loop alone.

# %% jupyter={"source_hidden": true} tags=["hide-input"]
seen = lambda column, shape, noise: sides.mean(quantities.chosen(column, part="shape", shape=shape, noise=noise), ".1f")
figures.show(
    draw.found_by_noise(sides),
    f"Rings of {n} points and segments as long, with noise in {known.ambient} dimensions. At a noise of a fifth of the radius the document counts {seen('count', 'ring', 0.2)} on the ring and "
    f"{seen('count', 'segment', 0.2)} on the segment, the universal law {seen('holes', 'ring', 0.2)} and {seen('holes', 'segment', 0.2)}; at three radii "
    f"they are at {seen('count', 'ring', 3.0)} and {seen('count', 'segment', 3.0)}, {seen('holes', 'ring', 3.0)} and {seen('holes', 'segment', 3.0)}." + sides.dashed,
)  # fmt: skip

# %% jupyter={"source_hidden": true} tags=["hide-input"]
for name, (column, where) in quantities.SPOKEN.items():
    sides.say(name, quantities.chosen(column, part="shape", **where), ".2f")

# %% [markdown]
# At a fifth of the radius a ring's count less a segment's is {glue:text}`t10_ring_minus_segment`, and less a disc's, which has one dimension more, {glue:text}`t10_ring_minus_disc`. The universal law finds a hole in {glue:text}`t10_ring_found` of these rings, as a share, and
# none in {glue:text}`t10_ball_clean` of the balls of dimension five. In noise of three radii it finds {glue:text}`drowned` holes on average, though the ring is still there.
# It also has an error that its level does not promise: of the discs with the same noise as the rings, a share of {glue:text}`disc_clean` stays clean, where 0.95 should. A thin disc with noise across
# it has bars of two kinds, short ones from the noise and longer ones from the disc, and the law is made for one kind.
#
# **A surprise.** On a ring without any noise the law finds {glue:text}`bare` holes. Such a cloud has {glue:text}`bare_bars` bars, and the law asks whether one bar is long beside the
# others. Where there are no others it is silent, and the clearest of holes goes unseen. It is a test for a hole in noise, and it needs the noise.
#
# The table adds other shapes, and pictures of a drawn sign that moves along known factors, or is turned all the way round, which is a true loop.

# %% jupyter={"source_hidden": true} tags=["hide-input"]
chapter.table(tables.shapes(sides), f"What is true of clouds of {n} points, and what is measured; means over seeds")

# %% [markdown]
# Compare the printed count with that of a Gaussian cloud of the same measured dimension, in the column beside it. Signs that turn all the way have a loop more than signs that move along as many factors, and turning bends their manifold as well, which raises the estimate with the count. And something else sets clouds apart: an even ball
# counts {glue:text}`ball_excess` more than its Gaussian cloud, for it has no thin edge in which bars are few. So a difference of counts that is left when the dimension is
# accounted for is not yet a hole.
#
# ## How far off is the dimension?
#
# The estimate assumes that points are dense enough for the cloud to be flat and even out to the $k$-th neighbour. A hundred points in sixteen dimensions are not. If that
# matters, estimates fall below the line for large dimensions, and rise with $n$. The other estimators should share the fault where they look as far: MacKay and Ghahramani's
# average {footcite:p}`mackay2005` does, TwoNN {footcite:p}`facco2017` looks at two neighbours only, and the participation ratio of the covariance at none.

# %% jupyter={"source_hidden": true} tags=["hide-input"]
ratio = lambda d: sides.mean(quantities.named(f"t11_ratio_{d}"), ".2f")
figures.show(
    draw.dimension_by_truth(sides, known.every_n, n),
    f"Gaussian clouds. With {n} points the printed estimate is {ratio(4)}, {ratio(8)} and {ratio(16)} of the truth in four, eight and sixteen dimensions. Both axes are "
    "logarithmic; the slider sets how many points a cloud has." + sides.dashed,
)  # fmt: skip

# %% jupyter={"source_hidden": true} tags=["hide-input"]
told = f"The printed estimate by its number of neighbours, {n} points a cloud; means over seeds"
chapter.table(tables.neighbours(sides, (2, 4, 8, 16)), told)

# %% [markdown]
# Estimate over truth is {glue:text}`ratio_4` in four dimensions, {glue:text}`ratio_8` in eight and {glue:text}`ratio_16` in sixteen. Order survives: dimension four was put below eight in a share of
# {glue:text}`t11_order` of the pairs. So the number can compare clouds of equal $n$ and $k$, and cannot be read as a count of dimensions; a fall by 40 % in the estimate is a larger one in the truth.
# There is a trap in pooling, too. Ten separate classes of a hundred points have all their neighbours within a class; where classes overlap, neighbours come from a thousand, and the estimate
# rises with no change of shape. Within classes, $n$ is the same for all.
#
# ## Whose dimension is it?
#
# A judge is a small network that was trained to name the class of an image; its last convolutional map is the window through which the document looks. The document compares architectures through one judge, and calls that agnostic. Some of the published scripts look through a network that was never trained {footcite:p}`gpn2025`. If features are
# only a window, the same real images have the same dimension through any of them. If training is what flattens a class, the untrained judge sees more.

# %%
images = data.load_images(dataset)
topology.run_eyes(eyes, images, log)
looked = log.at(part="eyes")

# %% jupyter={"source_hidden": true} tags=["hide-input"]
here.say("images", f"{images.name}, {len(images.train):,} for training; looked at is {tables.source(looked)}")
for name in ("t12_accuracy", "t12_within_ratio", "t12_pooled_ratio", "t12_within_two_trained"):
    looked.say(name, quantities.named(name), ".2f")

# %% jupyter={"source_hidden": true} tags=["hide-input"]
by = lambda eye: looked.mean(quantities.chosen("printed", eye=eye), ".1f")
figures.show(
    draw.dimension_by_eye(looked),
    f"The same images of {images.name}, {n} of each class, a point a seed. Within a class the dimension is {by('pixels')} in pixels, {by('trained')} for a trained "
    f"judge and {by('untrained')} for an untrained one.",
)  # fmt: skip

# %% jupyter={"source_hidden": true} tags=["hide-input"]
chapter.table(tables.eyes(looked), "The same real images, seen through four windows; means over seeds and classes")

# %% [markdown]
# The images are {glue:text}`images`. A trained judge, right on a share of {glue:text}`t12_accuracy` of the test images, is the reference. The untrained one sees {glue:text}`t12_within_ratio` times its
# dimension within a class and {glue:text}`t12_pooled_ratio` times with all classes pooled; a second trained judge, {glue:text}`t12_within_two_trained` times. Two networks whose drawings are looked at through
# different judges, one trained and one not, differ by the judges before they differ by anything else.
#
# ## Verdict

# %%
judged = log.verdict()
figures.show(
    judged.forest("Is the estimate the dimension?", "estimate, over the truth or the trained judge's", ("T11", "T12")),
    "Estimate over truth, and untrained over trained judge: 95 % intervals over seeds. Green lies inside the shaded region, red wholly outside, yellow straddles its border, grey has too few seeds.",
)

# %% jupyter={"source_hidden": true} tags=["hide-input"]
judged.tell("holes", "T10", {
    "supported": "The document's hole count counts holes: a ring counts more than a ring cut open, and a cloud without a hole next to none.",
    "refuted": "The document's hole count does not count holes: a ring counts no more than a ring cut open, and a cloud without a hole counts several.",
    "mixed": "The document's hole count tells a ring from a ring cut open or counts next to nothing where there is no hole, and does not do both.",
    "undecided": "Whether the document's hole count counts holes is open.",
})  # fmt: skip
judged.tell("dimension", "T11", {
    "supported": "The estimate is the dimension, within a tenth.",
    "refuted": "The estimate is more than a tenth off somewhere between four and sixteen dimensions, and nowhere shown to be right.",
    "mixed": "The estimate is within a tenth of the truth for some dimensions and further off for others.",
    "undecided": "Whether the estimate is within a tenth of the truth is open.",
})  # fmt: skip
judged.tell("window", "T12", {
    "supported": "Any judge will do: trained or not, it sees the same dimension.",
    "refuted": "It matters which judge one looks through: by this estimate an untrained one sees another dimension in the same images.",
    "mixed": "An untrained judge sees the same dimension in one way of measuring and another in the other.",
    "undecided": "Whether an untrained judge sees the same dimension is open.",
})  # fmt: skip
judged.table()

# %% jupyter={"source_hidden": true} tags=["hide-input"]
here.say("told_apart", judged.passed)
judged.probe_table()

# %% jupyter={"source_hidden": true} tags=["hide-input"]
here.box()

# %% [markdown]
# Could the tests have said otherwise? Move the means, and nothing else, to where the answer is known: {glue:text}`told_apart` claims told the two apart.
#
# {glue:text}`holes` {glue:text}`dimension` {glue:text}`window` So a program that says nine dimensions and seven holes has seen a cloud, through one window, at one number of points. What it says of loops
# cannot be told from what it says of how many bars there are.
#
# **Limits.** The clouds are even; real features are clustered and curved, and no calibration on even clouds transfers to them exactly. Holes in more than one dimension are not counted here, nor
# by the document. The universal law is a conjecture with little power at a hundred points: that it finds nothing is weak evidence of absence.
#
# **Open questions.** How many points would show the holes of a class of pictures, if there are any? Does an estimate that is extrapolated in $n$ rank trained networks otherwise?
#
# ## Exercises
#
# :::{exercise} Fewer points
# :run: ruc run metric_calibration -p samples_per_class 50
# :minutes: 1
# :check: t10_gaussian_count below 5
# The document took a hundred images of each class. Would half as many have half as many holes?
#
# +++
# Nearly: a cloud of fifty points has about half the bars, and a tenth of them is counted.
# :::
#
# :::{exercise} Nearer neighbours
# :run: ruc run metric_calibration -p k 5
# :minutes: 1
# :check: t11_ratio_16 above 0.64
# With five neighbours the estimate looks less far. Is it nearer to the truth in sixteen dimensions, and what does it cost?
#
# +++
# It is nearer for two reasons: five neighbours span less of the cloud, and the printed formula is too large by a factor of (k − 1)/(k − 2), which is a third at five. The second is
# no virtue: in two dimensions it overshoots. And it scatters more, because a mean of four logarithms is noisier than one of nineteen. The table of neighbours shows both ends.
# :::
#
# :::{exercise} More judges
# :run: ruc run metric_calibration -p seeds 12
# :minutes: 2
# :check: t12_within_ratio above 1.1
# Three untrained judges may be three strange ones. With twelve, does any see fewer dimensions than the trained judge beside it?
#
# +++
# On the digits none does; the figure *Whose dimension is it?* has a point for each. Try it on clothes, with an npz file of Fashion-MNIST as `dataset`.
# :::
#
# ## References
#
# ```{footbibliography}
# ```
