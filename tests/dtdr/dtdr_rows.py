"""Made-up rows of Part I, whose effects are known."""

import pandas as pd

from helpers.dtdr import quantities
from helpers.dtdr.config import GRID
from helpers.dtdr.damage import Keep, Spoil

WHOLE, NOTHING, MASKS = 1.0, 6.0, 6


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


def emergence(rng, gap=0.0, spoiled=0.0, scatter=0.05):
    """gap: nats that the transformed store loses more. spoiled: nats that truncation costs more than corruption."""
    made = rows(Keep(), GRID, lambda f: curve(f) + (gap + spoiled) * (0 < f < 1), rng, scatter)
    for domain in ("identity", "dct", "permutation"):
        made += rows(Keep(domain), GRID, curve, rng, scatter)
    for domain in ("hadamard", "identity"):
        for share in (0.0001, 0.001, 0.01, 0.1, 0.5):
            made += rows(Spoil(domain), [share], lambda s: curve(1 - s), rng, 0.001, cosine=(1 - share) ** 0.5)
    return quantities.frame(pd.DataFrame(made))


def guided(rng, help_by, harm_by):
    """help_by: nats that a prior gives. harm_by: nats that random numbers cost."""
    shares = quantities.SHARES
    made = rows(Keep(), shares, curve, rng, part="priors")
    made += rows(Keep(fill="random"), shares, lambda f: curve(f) + harm_by, rng, part="priors")
    for prior in ("leaked", "earlier", "before"):
        fill = Keep(fill="guided", prior=prior, weight=0.15)
        made += rows(fill, shares, lambda f: curve(f) - help_by, rng, part="priors")
    return quantities.frame(pd.DataFrame(made))
