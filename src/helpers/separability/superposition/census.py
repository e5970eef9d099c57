"""Every head of a model removed in turn: what it does to the answer, on one half of the data, and how much it varies,
on the other.

A head's *direct effect* is what it writes, less what it writes on average at that position, read out by the
unembedding as the logit of the token that follows, centred over the vocabulary (direct logit attribution; Elhage et
al. 2021). The final norm divides by what it divides by without the head: otherwise anything that lengthens the
stream, noise included, lowers every right logit a little, and would pass for a suppressor. From the right logit's
direction the mean of other sequences' is taken off, its own and the one before left out, so that an error in the
head's average cancels. The *total effect* is how much that logit falls when the head is replaced by its average. Axes
as in `views`; N sequences."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from helpers import devices
from helpers.separability import heads
from helpers.separability.heads import ABLATIONS
from helpers.separability.models import Edits
from helpers.separability.superposition.views import Seen, Spread, View

CHUNK = 64  # sequences of one pass, on every device: a head reads the story before its own in the chunk
STRENGTHS = (0.25, 0.5, 1.0)  # of a planted suppressor, as a share of the head that is turned around


@dataclass
class Passage:
    """What a pass over all sequences leaves. logit, loss: (M, N), the sequence's mean of the next token's centred
    logit and of its surprisal; streams: L times (M,), tr Cov of what leaves each block, on the second half; direct,
    null: (M, N) of the head that was replaced by its average, its direct effect and the one that it would have had it
    read the sequence before."""

    logit: Tensor
    loss: Tensor
    streams: list[Tensor]
    direct: Tensor | None = None
    null: Tensor | None = None


@dataclass
class Found:
    """A census. Each (M, L, H), but for `null` (M, L, D), the final variance under random removals, and `strength` by
    planted share.

    per: {name: (M, N/2, L, H)} on the first half: direct, gain (of the logit, when the head is its mean), loss (its
    rise), and for the head put on another sequence null_direct, null_gain. varied: (M, N/2, L, H) on the second half,
    a sequence's mean squared deviation of what the head writes. variance: its mean. copying: as `Sweep.copying`
    gives it. ratio: {ablation: ablated over whole, tr Cov of the stream at the end}; local: the same behind the
    head's own block."""

    per: dict[str, Tensor]
    varied: Tensor
    copying: dict[str, Tensor]
    ratio: dict[str, Tensor]
    local: dict[str, Tensor]
    null: Tensor
    planted: dict[float, dict[str, Tensor]] = field(default_factory=dict)

    @property
    def variance(self) -> Tensor:
        return self.varied.mean(1)


class Sweep:
    """All heads of a view on (N, T + 1) tokens; the first half finds, the second measures."""

    def __init__(self, view: View, tokens: Tensor):
        self.view, self.half = view, len(tokens) // 2
        self.x, self.y = tokens[:, :-1], tokens[:, 1:]
        self.size = -(-self.half // -(-self.half // CHUNK))  # chunks of one size, or nearly
        self.whole = {at.start: view.run(self.x[at]) for at in self.chunks()}  # without any edit
        self.means = (
            self._means()
        )  # L times (M, T, H, E): of the second half, so that no sequence that finds a head is in it
        self.grams = [w @ w.mT for w in view.writes]  # L times (M, H, E, E)
        u = view.unembedding
        self.read = u - u.mean(1, keepdim=True)  # (M, V, d): centred over the vocabulary

    def chunks(self, half: int | None = None) -> Iterator[slice]:
        """Slices of sequences, none across both halves."""
        for h in (0, 1) if half is None else (half,):
            for at in range(h * self.half, (h + 1) * self.half, self.size):
                yield slice(at, min(at + self.size, (h + 1) * self.half))

    def run(self, progress: Callable[[int, int], None], draws: int, key: object) -> Found:
        view, done = self.view, 0
        of = view.layers * view.heads * len(ABLATIONS) + view.layers * draws + len(STRENGTHS)
        whole = self.passage({})
        effects = {a: {} for a in ABLATIONS}
        for layer, head in self.each():
            for kind in ABLATIONS:
                edit = {f"z.{layer}": self.ablation(kind, layer, head)}
                effects[kind][layer, head] = self.passage(edit) if kind != "mean" else self.removal(layer, head)
                progress(done := done + 1, of)
        row = lambda pick, k: torch.stack([pick(k, h) for h in range(view.heads)], -1)
        table = lambda pick: torch.stack([row(pick, k) for k in range(view.layers)], -2)
        mean, again = effects["mean"], effects["resample"]
        first = slice(0, self.half)
        per = {
            "direct": table(lambda k, h: mean[k, h].direct)[:, first],
            "gain": table(lambda k, h: mean[k, h].logit - whole.logit)[:, first],
            "loss": table(lambda k, h: mean[k, h].loss - whole.loss)[:, first],
            "null_direct": table(lambda k, h: mean[k, h].null)[:, first],
            "null_gain": table(lambda k, h: mean[k, h].logit - again[k, h].logit)[:, first],
        }
        ratio = {a: table(lambda k, h, a=a: effects[a][k, h].streams[-1] / whole.streams[-1]) for a in ABLATIONS}
        local = {a: table(lambda k, h, a=a: effects[a][k, h].streams[k] / whole.streams[k]) for a in ABLATIONS}
        found = Found(
            per, self.varied(), self.copying(), ratio, local, self.null(draws, key, whole, progress, done, of)
        )
        self.plant(found, mean)
        progress(of, of)
        return found

    def seen(self, at: slice, edits: Edits) -> Seen:
        """A pass over some sequences."""
        return self.view.run(self.x[at], edits, self.whole[at.start]) if edits else self.whole[at.start]

    def each(self) -> Iterator[tuple[int, int]]:
        return ((k, h) for k in range(self.view.layers) for h in range(self.view.heads))

    def ablation(self, kind: str, layer: int, head: int) -> Callable[[Tensor], Tensor]:
        """An edit of z (M, B, T, H, E). zero: nothing in the head's place; mean: its mean at the position; resample:
        the head as it was on the sequence before. Raises ValueError for another kind, or a head that is not there."""
        if not (0 <= layer < self.view.layers and 0 <= head < self.view.heads):
            last = f"{self.view.layers - 1}.{self.view.heads - 1}"
            raise ValueError(f"there is no head {layer}.{head}; heads count from 0.0 to {last}")
        if kind == "resample":
            return lambda z: heads.ablation(kind, [head], z.roll(1, 1))(z)
        return heads.ablation(kind, [head], self.means[layer].unsqueeze(1))

    def turned(self, layer: int, which: Tensor, share: float) -> Callable[[Tensor], Tensor]:
        """An edit that turns one head a model, which (M,), around its mean and keeps `share` of it: it says the
        opposite."""

        def edit(z: Tensor) -> Tensor:
            mask = torch.nn.functional.one_hot(which, self.view.heads)  # (M, H)
            mean = self.means[layer][:, None]  # (M, 1, T, H, E)
            return torch.where(mask[:, None, None, :, None] > 0, mean - share * (z - mean), z)

        return edit

    def passage(self, edits: Edits, see: Callable[[Seen, slice], None] | None = None) -> Passage:
        """One pass over both halves. see: is shown every chunk."""
        logit, loss = [], []
        spreads = [Spread() for _ in range(self.view.layers)]
        for at in self.chunks():
            seen = self.seen(at, edits)
            y = self.y[at].expand(self.view.count, -1, -1).unsqueeze(-1)  # (M, B, T, 1)
            chosen = seen.logits.gather(-1, y).squeeze(-1)
            logit.append((chosen - seen.logits.mean(-1)).mean(-1))
            loss.append((seen.logits.logsumexp(-1) - chosen).mean(-1))
            if see:
                see(seen, at)
            if at.start >= self.half:
                for spread, stream in zip(spreads, seen.streams, strict=True):
                    spread.add(stream)
        return Passage(torch.cat(logit, 1), torch.cat(loss, 1), [s.trace for s in spreads])

    def removal(self, layer: int, head: int) -> Passage:
        """A pass with a head replaced by its average, and the head's direct effects."""
        average, row = (
            self.ablation("mean", layer, head),
            torch.arange(self.view.count, device=self.x.device)[:, None, None],
        )
        was, effects, nulls = [], [], []

        def edit(z: Tensor) -> Tensor:
            was.append(z[:, :, :, head])
            return average(z)

        def see(seen: Seen, at: slice) -> None:
            y = self.y[at].expand(self.view.count, -1, -1)
            toward = self.read[row, y] / self.view.spread(seen.streams[-1]).unsqueeze(-1)  # (M, B, T, d)
            back = torch.einsum(
                "mbtd,med->mbte", toward, self.view.writes[layer][:, head]
            )  # what the head would have to be
            back = back - (back.sum(1, keepdim=True) - back - back.roll(1, 1)) / (back.shape[1] - 2)
            z, mean = was.pop(), self.means[layer][:, None, :, head]
            for value, out in ((z, effects), (z.roll(1, 1), nulls)):
                out.append(((value - mean) * back).sum(-1).mean(2))

        found = self.passage({f"z.{layer}": edit}, see)
        return replace(found, direct=torch.cat(effects, 1), null=torch.cat(nulls, 1))

    def varied(self) -> Tensor:
        """(M, N/2, L, H): squared deviation of z_h W_O[h] from its mean over the second half, a sequence's mean."""
        z = [self.whole[at.start].z for at in self.chunks(1)]
        out = []
        for k, gram in enumerate(self.grams):
            whole = torch.cat([part[k] for part in z], 1)  # (M, N/2, T, H, E)
            away = whole - whole.mean((1, 2), keepdim=True)
            out.append(torch.einsum("mbthe,mhef,mbthf->mbth", away, gram, away).mean(2))
        return torch.stack(out, 2)

    def copying(self) -> dict[str, Tensor]:
        """{name: (M, L, H)} over the first half. copying: slope of the logits that a head adds to tokens already
        shown, less those that it would add had it read another sequence, on these tokens' logits without it: negative
        for a head that lowers what the others would repeat (McDougall et al. 2023). copying_t: over its jackknife
        error (Efron and Tibshirani 1993, §11), sequences left out one at a time. null_copying_t: of the head on one
        other sequence less that on a second."""
        parts, vocab, (n, t) = [], self.read.shape[1], (self.view.count, self.x.shape[1])
        for at in self.chunks(0):
            seen = self.whole[at.start]
            shown = torch.nn.functional.one_hot(self.x[at], vocab).cumsum(1).clamp(max=1).to(seen.logits)  # (B, T, V)
            whole = seen.logits - seen.logits.mean(-1, keepdim=True)
            spread = self.view.spread(seen.streams[-1])[..., None]  # (M, B, T, 1)
            total = lambda x, shown=shown: (x * shown).sum((2, 3)).double()  # (M, B)
            count, sums = shown.sum((1, 2)).double().expand(n, -1), []
            for k, h in self.each():
                out = self.view.writes[k][:, h] @ self.read.mT  # (M, E, V)
                says = lambda z, out=out, spread=spread: (z.flatten(1, 2) @ out).unflatten(1, (-1, t)) / spread
                z = seen.z[k][:, :, :, h]
                own, other, third = (says(z.roll(i, 1)) for i in range(3))
                prior = whole - own
                moments = [
                    torch.stack([count, *map(total, (prior, y, prior * prior, prior * y))])
                    for y in (own - other, other - third)
                ]
                sums.append(torch.stack(moments, -1))
            parts.append(torch.stack(sums, -2))  # (5, M, B, L·H, 2)
        slope, over = _jackknifed(torch.cat(parts, 2))
        table = lambda x, i: x[..., i].unflatten(-1, (self.view.layers, self.view.heads))
        return {"copying": table(slope, 0), "copying_t": table(over, 0), "null_copying_t": table(over, 1)}

    def null(self, draws: int, key: object, whole: Passage, progress, done: int, of: int) -> Tensor:
        """(M, L, D): the final variance, over the whole model's, when a random part of an attention layer's output is
        removed, as wide as a head and as large as the layer's heads are on average."""
        out = []
        for k, w in enumerate(self.view.writes):
            size = torch.stack([self.power(k, at) for at in self.chunks(0)]).mean(0)  # (M, 2)
            width, d = w.shape[2], w.shape[3]
            for i in range(draws):
                basis = torch.randn(d, min(width, d), generator=devices.torch_rng("null", key, k, i)).to(w)
                basis = torch.linalg.qr(basis)[0]  # (d, E)
                share = (size[:, 0] / (size[:, 1] * width / d)).sqrt()[:, None, None, None]
                remove = lambda x, b=basis, s=share: x - s * (x @ b @ b.T)
                out.append(self.passage({f"attn_out.{k}": remove}).streams[-1] / whole.streams[-1])
                progress(done := done + 1, of)
        return torch.stack(out, -1).unflatten(-1, (self.view.layers, draws))

    def plant(self, found: Found, mean: dict[tuple[int, int], Passage]) -> None:
        """Turn the last layer's most helpful head around, at several strengths. Which one, the second half says."""
        last, first = self.view.layers - 1, slice(0, self.half)
        each = lambda name: torch.stack([getattr(mean[last, h], name) for h in range(self.view.heads)], -1)  # (M, N, H)
        direct, without = each("direct"), each("logit")
        which = direct[:, self.half :].mean(1).argmax(-1)  # (M,)
        row = torch.arange(self.view.count, device=which.device)
        for share in STRENGTHS:
            seen = self.passage({f"z.{last}": self.turned(last, which, share)})
            effect = {"direct": -share * direct[row, :, which], "gain": without[row, :, which] - seen.logit}
            found.planted[share] = {k: v[:, first] for k, v in effect.items()}

    def _means(self) -> list[Tensor]:
        total = None
        for at in self.chunks(1):
            z = [x.sum(1) for x in self.whole[at.start].z]
            total = z if total is None else [a + b for a, b in zip(total, z, strict=True)]
        return [x / self.half for x in total]

    def power(self, layer: int, at: slice) -> Tensor:
        """(M, 2): mean square of what a head of this layer writes, mean over heads, and of what all of them write
        together."""
        z = self.whole[at.start].z[layer]
        each = torch.einsum("mbthe,mhef,mbthf->mbth", z, self.grams[layer], z).mean((1, 2, 3))
        joint = torch.einsum("mbthe,mhed->mbtd", z, self.view.writes[layer]).square().sum(-1).mean((1, 2))
        return torch.stack([each, joint], -1)


def _jackknifed(each: Tensor) -> tuple[Tensor, Tensor]:
    """(5, M, N, …) sums n, Σx, Σy, Σx², Σxy of N sequences -> (M, …) the slope of y on x, and that over its jackknife
    error."""

    def slope(sums: Tensor) -> Tensor:
        n, x, y, xx, xy = sums
        return (xy - x * y / n) / (xx - x * x / n)

    count, whole = each.shape[2], each.sum(2)
    found, left = slope(whole), slope(whole.unsqueeze(2) - each)  # (M, …), (M, N, …)
    error = ((left - left.mean(1, keepdim=True)).square().sum(1) * (count - 1) / count).sqrt()
    return found, found / error.clamp(min=1e-12)
