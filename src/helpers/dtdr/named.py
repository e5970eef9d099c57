"""The damages that Part I speaks of by name, the shares at which its claims are asked, and the parts of its records."""

from helpers.dtdr.damage import Jitter, Keep, Noise, Planes, Spoil

EMERGENCE, GUIDED = ("arms", "damage", "collapse"), ("priors",)  # the parts that enter verdicts
ARMS = ("arms",)
LADDER, OTHERS = "ladder", "others"  # deeper and wider storytellers; models of other committed references
OUTLIERS = "outliers"  # the model at hand with planted outlier channels
TRANSFORMED, RAW = Keep("hadamard"), Keep("identity")  # the same positions lost at random
RANDOM = Keep(fill="random")
ANCHORED_ROWS = Keep("identity", "rows", "guided", "leaked", 0.15)  # as published
(
    ANCHORED,
    EARLIER,
    BEFORE,
    OTHER,
    ALIGNED,
) = (  # a prior at the published weight: a copy, relatives, another seed, and renamed
    Keep(fill="guided", prior=prior, weight=0.15) for prior in ("leaked", "earlier", "before", "other", "aligned")
)
OTHER_WHOLE = Keep(fill="guided", prior="other", weight=1.0)
INDEPENDENT = (EARLIER, BEFORE)
SPOILED, SPOILED_RAW = Spoil("hadamard"), Spoil("identity")
BYTES, HISS, HISS_RAW = Spoil("hadamard", "byte"), Jitter("hadamard"), Jitter("identity")
ROWS, VOCABULARY = Keep("identity", "rows"), Keep("identity", "rows", protect=True)
SHUFFLED, PLANES = Keep("permutation", "rows"), Planes("hadamard")
EVEN, PROPORTIONAL = Noise("row"), Noise("entry")  # noise of one size per row, and in proportion to each weight
SHARES = (0.2, 0.4, 0.6)  # kept in the published fills
CLOSING = (0.6, 0.7, 0.8)  # where D5 looks for a store that is silent beside weights that function
LATE = (0.8, 0.9)  # where D5b asks whether the transform is worse at all
REACHED = (0.8, 0.9, 0.95)  # whose weight cosine corruption reaches as well
COLLAPSE = (0.2, 0.4, 0.6, 0.7, 0.8, 0.9)  # of the data collapse
THOUSANDTH = 0.001
TENTH = 0.1  # of a block's standard deviation: noise on the codes
STORES = ((SPOILED, TRANSFORMED), (SPOILED_RAW, RAW))  # spoiled, and whole
