"""Generators whose answers are known, in place of trained networks: they draw bars, one place a class."""

from __future__ import annotations

import torch

from helpers.topology import judge

SIZE, CLASSES, LATENT = 8, 4, 6


def glyphs(classes=CLASSES):
    """(C, 1, s, s) a class is a bright column of two pixels."""
    out = -torch.ones(classes, 1, SIZE, SIZE)
    for c in range(classes):
        out[c, 0, :, 2 * c : 2 * c + 2] = 1
    return out


def generators(*kinds):
    """(M, …): 'obedient' draws the class it is asked for; 'deaf' mixes the classes as the latent says; 'mirror' draws the
    class that stands at the other end."""
    hears = torch.tensor([float(k != "deaf") for k in kinds])
    order = torch.stack([glyphs().flip(0) if k == "mirror" else glyphs() for k in kinds])
    return {"glyphs": order, "hears": hears}


def draw(params, body, z, labels, **_):
    """As `nets.draw`."""
    m = len(z)
    labels = labels.expand(m, -1)
    hears = params["hears"][:, None, None]
    said = torch.nn.functional.one_hot(labels, CLASSES).to(z)
    wished = (3 * z[..., :CLASSES]).softmax(-1)
    share = hears * said + (1 - hears) * wished  # (M, B, C)
    images = torch.einsum("mbc,mcuij->mbuij", share, params["glyphs"])
    return (images + 0.05 * z[..., 4, None, None, None].tanh()).clamp(-1, 1)


def seen(keys, *, deep=2, steps=80):
    """Judges of the world's digits, one a key."""
    rng = torch.Generator().manual_seed(0)
    labels = torch.arange(CLASSES).repeat(60)
    images = (glyphs()[labels] + 0.3 * torch.randn(len(labels), 1, SIZE, SIZE, generator=rng)).clamp(-1, 1)
    shape = judge.JudgeShape(SIZE, (4, 6), (12,), CLASSES, deep)
    return judge.train(shape, images, labels, keys, steps=steps, batch=32, rate=5e-3)
