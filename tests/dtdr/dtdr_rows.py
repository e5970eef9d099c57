"""Made-up rows of Part I, whose effects are known."""

from functools import partial

import pandas as pd

from helpers.dtdr import quantities
from helpers.dtdr.config import GRID
from helpers.dtdr.damage import Keep, Noise, Spoil
from helpers.dtdr.named import COLLAPSE, SHARES

WHOLE, NOTHING, MASKS, MODELS = 1.0, 6.0, 12, 18
WRITING = 8  # masks


def curve(share):
    """Loss in proportion to what is gone."""
    return NOTHING - (NOTHING - WHOLE) * share


def rows(damage, levels, loss, rng, scatter=0.05, masks=MASKS, **more):
    """One damage: loss(level) nats, with the luck of each mask that is the same at every level."""
    luck = rng.normal(0, scatter, masks)
    known = damage.columns | {"part": "arms", "model": "m", "intact": WHOLE, "nothing": NOTHING, "text": None}
    return [
        known
        | {"seed": seed, damage.level: f, "cosine": f**0.5, "nll": loss(f) + luck[seed] * (f < 1)}
        | {"kl": loss(f) - WHOLE, "top1": f**4}
        | more
        for seed in range(masks)
        for f in levels
    ]


def emergence(rng, gap=0.0, spoiled=0.0, scatter=0.05, models=1):
    """gap: nats that the transformed store loses more. spoiled: nats that truncation costs more than corruption. models: more
    than the first are a ladder.
    """
    turned = lambda f: curve(f) + (gap + spoiled) * (0 < f < 1)
    made = rows(Keep(), GRID, turned, rng, scatter)
    for row in made:
        if row["seed"] < WRITING:
            row |= {"text": "a story", "sense": 10 - 8 * row["kept"]}
    for domain in ("identity", "dct", "permutation"):
        made += rows(Keep(domain), GRID, curve, rng, scatter)
    made += rows(Noise(), COLLAPSE, curve, rng, scatter)
    for domain in ("hadamard", "identity"):
        for share in (0.0001, 0.001, 0.01, 0.1, 0.5):
            made += rows(Spoil(domain), [share], lambda s: curve(1 - s), rng, 0.001, cosine=(1 - share) ** 0.5)
    for i in range(1, models):
        for damage, loss in ((Keep(), turned), (Keep("identity"), curve)):
            made += rows(damage, GRID, loss, rng, scatter, 5, part="ladder", model=f"m{i}")
    return quantities.frame(pd.DataFrame(made))


def guided(rng, help_by, harm_by, masks=MASKS):
    """help_by: nats that a prior gives, another seed aside. harm_by: nats that random numbers cost. Three models."""
    made, few = [], partial(rows, masks=masks)
    for model in "mno":
        own = {"part": "priors", "model": model}
        made += few(Keep(), SHARES, curve, rng, **own)
        harmed = lambda f: curve(f) + harm_by
        made += few(Keep(fill="random"), SHARES, harmed, rng, **own)
        for prior in ("leaked", "earlier", "before", "other"):
            fill, gain = Keep(fill="guided", prior=prior, weight=0.15), help_by * (prior != "other")
            made += few(fill, SHARES, lambda f, gain=gain: curve(f) - gain, rng, **own)
    for row in made:
        row |= {"entropy": 3 + rng.normal(0, 0.05), "rep4": 0.5 + rng.normal(0, 0.02), "rep4_apart": 0.1}
    return quantities.frame(pd.DataFrame(made))
