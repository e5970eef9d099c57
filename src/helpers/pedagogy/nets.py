"""The networks of the pedagogical and the adversarial game, M of each at once (seed document 001).

One generator body serves every arm: the document's conditional generator with a head that says what it expects its
reader to see (v_pred). The Weaver of the document's own run is the same with other widths and without the first
normalisation. Witness and discriminators look at images. Parameters are (M, …) by name, the running means and variances of
normalisations, "….mean" and "….var", among them; a bias in front of a normalisation has no effect and is left out.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from helpers import stacked
from helpers.pedagogy import layers
from helpers.pedagogy.config import Body, Sense
from helpers.pedagogy.layers import LEAK, convolved, dense, dropped, grown, normed, single
from helpers.stacked import Params

__all__ = ["Body", "Sense", "draw", "generators", "look", "opinions", "picture", "senses"]


def generators(body: Body, keys: Sequence[object], device: str = "cpu") -> Params:
    """Generators as they start, one a key, equal for equal keys: weights as torch starts its layers, embeddings normal."""
    made = {key: _generator(body, key) for key in dict.fromkeys(keys)}
    return {name: value.to(device) for name, value in stacked.pile([made[key] for key in keys]).items()}


def draw(params: Params, body: Body, z: Tensor, labels: Tensor, *, training: bool = False) -> Tensor:
    """(M, B, 1, size, size) images in [−1, 1], differentiable in z and in the parameters.

    z: (M, B, latent); labels: (M, B), or (B,) for all models. training: normalise by the batch and move the buffers;
    otherwise by the buffers. Raises ValueError for shapes that do not fit the body.
    """
    return picture(params, body, z, labels, training=training)[0].permute(0, 4, 1, 2, 3)


def picture(
    params: Params, body: Body, z: Tensor, labels: Tensor, *, training: bool, dtype: torch.dtype = torch.float32
) -> tuple[Tensor, Tensor]:
    """Images with the batch last (M, 1, size, size, B) in single precision, and v_pred (M, told, B). dtype: to compute in."""
    labels = labels if labels.dim() == 2 else labels.expand(len(z), -1)
    count = len(params["embed"])
    if z.dim() != 3 or z.shape[0] != count or z.shape[2] != body.latent or labels.shape != z.shape[:2]:
        told = f"z {tuple(z.shape)} and labels {tuple(labels.shape)}"
        raise ValueError(f"{told} do not fit; expected ({count}, B, {body.latent}) and ({count}, B) or (B,)")
    z = z.transpose(1, 2).to(dtype)
    known = torch.bmm(params["embed"].transpose(1, 2).to(dtype), layers.one_hot(labels, body.classes, z))
    x = dense(params, "first", torch.cat([z, known], 1))
    if body.first:
        x = F.relu(normed(params, "norm1", x, training))
    side = body.size // 4
    x = x.view(count, body.channels[0], side, side, -1)
    for i in (2, 3):
        x = F.relu(normed(params, f"norm{i}", grown(params, f"conv{i}", x), training))
    told = dense(params, "told2", F.relu(dense(params, "told1", x.mean((2, 3)))))
    return torch.tanh(single(convolved(params, "out", x))), single(told)


def senses(
    kind: str, sense: Sense, keys: Sequence[object], device: str = "cpu", *, labelled: Sequence[bool] | None = None
) -> Params:
    """Witnesses (kind "witness") or discriminators (any other) as they start, one a key, equal for equal keys.

    A Witness has a head for the class and, where `told` is not 0, one for v_seen; a discriminator has "real" beside that for
    the class, and no normalisation of its first map. labelled: which of the models are told labels, all by default where
    the sense is. The others start as networks without that channel: what they would see in it is zero, and stays zero.
    """
    labelled = [sense.labelled] * len(keys) if labelled is None else labelled
    made = {pair: _sense(kind, sense, *pair) for pair in dict.fromkeys(zip(keys, labelled, strict=True))}
    piled = stacked.pile([made[pair] for pair in zip(keys, labelled, strict=True)])
    return {name: value.to(device) for name, value in piled.items()}


def look(
    params: Params,
    sense: Sense,
    images: Tensor,
    *,
    chance: Sequence[Tensor] = (),
    labels: Tensor | None = None,
    dtype: torch.dtype = torch.float32,
) -> dict[str, Tensor]:
    """{head: (M, width, B)} of images with the batch last, as in training: normalised by the batch.

    chance: of each map's channels to be left out, (M, C, B) each, then of each head's layer; empty leaves nothing out.
    labels: (M, B), for a sense that is told them.
    """
    left = iter(chance)
    x = images.to(dtype)
    if sense.labelled:
        known = torch.bmm(params["label"].transpose(1, 2).to(dtype), layers.one_hot(labels, sense.classes, x))
        x = torch.cat([x, known.view(len(known), 1, sense.size, sense.size, -1)], 1)
    for i in range(1, len(sense.channels) + 1):
        x = convolved(params, f"conv{i}", x, 2)
        x = normed(params, f"norm{i}", x, True) if f"norm{i}.weight" in params else x
        x = dropped(F.leaky_relu(x, LEAK), sense.drop, next(left, None))
    x = x.flatten(1, 3)
    heads = [name for name in ("class", "seen", "real") if name in params]
    if not sense.hidden:
        return {name: single(dense(params, name, x)) for name in heads}
    hidden = {name: F.relu(dense(params, f"{name}.hidden", x)) for name in heads}
    if "class" in hidden:
        hidden["class"] = dropped(hidden["class"], sense.drop, next(left, None))
    return {name: single(dense(params, name, x)) for name, x in hidden.items()}


def opinions(judges: Params, images: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
    """(M, classes, B) logits of judges (S, …), as `topology.judge` has them, for images (M, 1, s, s, B) of which each judge is
    asked about M / S in a row; differentiable in the images."""
    count, side, batch = len(judges["conv1"]), images.shape[2], images.shape[-1]
    x = images.view(count, -1, side, side, batch).permute(0, 2, 3, 1, 4).reshape(count, 1, side, side, -1).to(dtype)
    maps, heads = (sum(k.startswith(name) and "." not in k for k in judges) for name in ("conv", "head"))
    for i in range(1, maps + 1):
        x = F.relu(convolved(judges, f"conv{i}", x))
        if 2 * i in (maps, 2 * maps):
            x = x.view(*x.shape[:2], x.shape[2] // 2, 2, x.shape[3] // 2, 2, -1).amax((3, 5))
    x = x.flatten(1, 3)
    for i in range(1, heads + 1):
        x = dense(judges, f"head{i}", x)
        x = F.relu(x) if i < heads else x
    return single(x).view(count, x.shape[1], -1, batch).transpose(1, 2).flatten(0, 1)


def _generator(body: Body, key: object) -> Params:
    rng, (a, b, c), side = layers.keyed("generator", key), body.channels, body.size // 4
    parts = [
        {"embed": torch.randn(body.classes, body.embed, generator=rng)},
        layers.linear(rng, "first", body.latent + body.embed, a * side * side, bias=not body.first),
        layers.norm("norm1", a * side * side) if body.first else {},
        layers.kernel(rng, "conv2", a, b), layers.norm("norm2", b),
        layers.kernel(rng, "conv3", b, c), layers.norm("norm3", c),
        layers.kernel(rng, "out", c, 1, bias=True),
        layers.linear(rng, "told1", c, c), layers.linear(rng, "told2", c, body.told),
    ]  # fmt: skip
    return layers.joined(parts)


def _sense(kind: str, sense: Sense, key: object, labelled: bool) -> Params:
    rng, parts, into = layers.keyed(kind, key), [], 1 + labelled
    for i, count in enumerate(sense.channels, 1):
        plain = kind != "witness" and i == 1
        parts.append(layers.kernel(rng, f"conv{i}", into, count, bias=plain))
        if not plain:
            affine = layers.norm(f"norm{i}", count)
            parts.append({k: affine[k] for k in affine if k not in layers.buffers(affine)})
        into = count
    widths = {"class": sense.classes, "seen": sense.told} if kind == "witness" else {"real": 1, "class": sense.classes}
    for name, width in widths.items():
        if width and sense.hidden:
            parts.append(layers.linear(rng, f"{name}.hidden", sense.flat, sense.hidden))
        if width:
            parts.append(layers.linear(rng, name, sense.hidden or sense.flat, width))
    if sense.labelled and not labelled:
        parts[0]["conv1"] = F.pad(parts[0]["conv1"], (0, 0, 0, 0, 0, 1))
    if sense.labelled:
        parts.append({"label": torch.randn(sense.classes, sense.size**2, generator=rng) * labelled})
    return layers.joined(parts)
