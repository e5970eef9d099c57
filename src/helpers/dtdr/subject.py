"""A model that is taken apart and put together again: what is kept of it goes in, what it can still do comes out."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from helpers import devices, files, lm
from helpers.codec.codec import Codec, Encoded, encode
from helpers.codec.decoding import decode
from helpers.codec.fills import Fill, noisy
from helpers.codec.live import Live
from helpers.codec.orders import corrupt
from helpers.dtdr.priors import FROM_KEPT, from_kept
from helpers.stores.coded import matrices, role, transposed

LOGITS = 1 << 26  # logits worked on at once: a quarter of a gigabyte in float32
NOISE, NOISE_ENTRY, CORRUPT = "noise", "noise_entry", "corrupt"


@dataclass(frozen=True)
class Arm:
    """One way to lose or to spoil a part of a model.

    domain: what the coefficients are, a transform's name, or 'noise' (Gaussian, of the weight cosine √f; 'noise_entry': in
    proportion to each weight). order: which
    coefficients are kept, or 'corrupt': all are kept and a share 1 − f of the codes is spoiled. weight: of the prior, for
    guided fill. protect: embedding and output head stay whole.
    """

    domain: str = "hadamard"
    order: str = "iid"
    fill: str = "zero"
    prior: str = ""
    weight: float = 0.0
    protect: bool = False

    @property
    def name(self) -> str:
        if self.domain in (NOISE, NOISE_ENTRY):
            parts = [self.domain]
        elif self.order == CORRUPT:
            parts = [self.domain, CORRUPT]
        else:
            parts = [self.domain, self.order, self.fill]
        parts += [self.prior, f"{self.weight:g}"] if self.prior else []
        return ".".join(parts + (["protected"] if self.protect else []))


class Subject:
    """A language model with its whole weights beside it, and text to score it on.

    tokens: (N, T) on any device. priors: {prior: {tensor name: weight}}, for guided fill; those named in
    FROM_KEPT are made from the kept part itself. prompts: (t,) tokens each, to be continued. cap: largest
    block. model_seed: the seed that the model was trained with, for the records.
    """

    def __init__(
        self,
        found: lm.LM,
        tokens: Tensor,
        prompts: Sequence[Tensor] = (),
        priors: Mapping[str, Mapping[str, Tensor]] | None = None,
        cap: int = 128,
        batch: int = 16,
        model_seed: int = 0,
    ):
        if tokens.ndim != 2 or tokens.shape[1] < 2 or not len(tokens):
            raise ValueError(f"tokens has shape {tuple(tokens.shape)}; expected (texts, two tokens or more)")
        self.found, self.model, self.batch, self.cap = found, found.model, batch, cap
        self.model_seed = model_seed
        self.tokens = tokens.to(next(self.model.parameters()).device)
        self.priors, self.prompts = dict(priors or {}), list(prompts)
        self.parameters = dict(matrices(self.model))  # {name: parameter (out, in) or its transpose}
        self._check_memory()
        self.whole = {name: p.detach().clone() for name, p in self.parameters.items()}
        self._norm = sum(float(w.float().square().sum(dtype=torch.float64)) for w in self.whole.values())
        self._codec: Codec | None = None
        self._codes: dict[str, Encoded] = {}
        self._live: Live | None = None
        self._priors: dict[tuple, tuple[Tensor, Encoded]] = {}  # of one prior, encoded once a transform
        self._greedy: dict[tuple[int, int, int], lm.Greedy] = {}
        self.reference = self._log_probs()
        self.intact = self.measure()
        self.rebuild(Arm(), 0.0, 0)
        self.nothing = self.measure()["nll"]
        self.restore()

    @property
    def size(self) -> int:
        """Number of parameters."""
        return sum(p.numel() for p in self.model.parameters())

    @property
    def depth(self) -> int:
        """Number of transformer blocks."""
        return int(self.model.config.num_hidden_layers)

    @property
    def width(self) -> int:
        """Width of the residual stream."""
        return int(self.model.config.hidden_size)

    @property
    def digest(self) -> str:
        """Of the weights, the text and the priors: rows that were kept belong to these only."""
        texts = [self.tokens.tolist(), [p.tolist() for p in self.prompts], self.cap, self.batch]
        weights = {"": self.whole} | self.priors
        sums = [
            (prior, name, float(w.double().sum()), float(w.double().square().sum()))
            for prior, known in weights.items()
            for name, w in known.items()
        ]
        return files.digest(repr((texts, sums)).encode())

    def restore(self) -> None:
        """Put the whole weights back."""
        with torch.no_grad():
            for name, p in self.parameters.items():
                p.copy_(self.whole[name])

    def rebuild(self, arm: Arm, fraction: float, seed: int) -> float:
        """Write the weights that an arm leaves at a fraction into the model. Returns their cosine to the whole ones.

        seed: of the mask, the noise or the corruption; the same for all arms, so that losses can be compared in pairs.
        """
        with torch.no_grad():
            self._write(arm, fraction, seed)
            for name in self.parameters if arm.protect else ():
                if role(name) in ("embed", "head"):
                    self.parameters[name].copy_(self.whole[name])
            return self._cosine()

    def stored(self, domain: str = "hadamard") -> dict[str, float]:
        """Bytes of the stored matrices, bytes of the same matrices in 32 bits, and signal to noise of the store in dB."""
        size = signal = noise = weights = 0.0
        for name, whole in self.whole.items():
            encoded = self._encoded(domain, name)
            back = decode(encoded).to(whole)
            size, weights = size + encoded.nbytes, weights + 4 * whole.numel()
            signal += float(whole.float().square().sum())
            noise += float((back - whole).float().square().sum())
        return {"bytes": size, "weights": weights, "snr": 10 * math.log10(signal / noise)}

    def measure(self) -> dict[str, float]:
        """Loss (nats a token), KL(reference ‖ model), top-1 agreement, centred-logit cosine, entropy: means over tokens."""
        sums = torch.zeros(5, dtype=torch.float64, device=self.tokens.device)
        for at, x in self._batches():
            new = self._logits(x).log_softmax(-1)  # (b, T-1, V)
            old = self.reference[at : at + len(x)].float()
            centred = [z - z.mean(-1, keepdim=True) for z in (old, new)]
            found = (
                -new.gather(-1, x[:, 1:, None]),
                old.exp() * (old - new),
                new.argmax(-1) == old.argmax(-1),
                F.cosine_similarity(*centred, dim=-1),
                -new.exp() * new,
            )
            sums += torch.stack([v.sum(dtype=torch.float64) for v in found])
        count = self.tokens[:, 1:].numel()
        return dict(zip(("nll", "kl", "top1", "logit_cosine", "entropy"), (sums / count).tolist(), strict=True))

    def last(self, prompt: Tensor) -> Tensor:
        """(V,): logits of the next token after one prompt (T,)."""
        with torch.no_grad():
            return self.model(prompt[None].to(self.tokens.device)).logits[0, -1].float().cpu()

    def texts(self, prompts: Sequence[Tensor], new: int) -> list[str]:
        """Greedy continuations by `new` tokens, decoded; prompts of one length go through the model together."""
        if len({len(p) for p in prompts}) != 1:
            return [self.texts([p], new)[0] for p in prompts]
        ids = self._continued(torch.stack(list(prompts)), new)[:, len(prompts[0]) :]
        return [self.found.tokenizer.decode(row) for row in ids.tolist()]

    def sense(self, prompt: Tensor, texts: Sequence[str]) -> list[float]:
        """Nats a token that the whole model, put back for it, gives each text after a prompt (T,); nan for an empty text.

        Text that means something to a reader is likely to the whole model too; salad is not.
        """
        self.restore()
        out = []
        for text in texts:
            ids = torch.tensor(self.found.tokenizer(text, add_special_tokens=False)["input_ids"], dtype=torch.long)
            x = torch.cat([prompt.cpu(), ids])[None].to(self.tokens.device)  # (1, T + n)
            logs = self._logits(x).log_softmax(-1)[0, len(prompt) - 1 :]  # (n, V)
            out.append(-float(logs.gather(-1, x[0, len(prompt) :, None]).mean()))
        return out

    def _continued(self, prompts: Tensor, new: int) -> Tensor:
        """(B, T) -> (B, T + new): by a recorded graph where the model is on a GPU and can be recorded."""
        if self.tokens.device.type == "cpu" or not lm.recordable(self.model):
            return lm.generate(self.found, prompts, new)
        shape = (*prompts.shape, new)
        if shape not in self._greedy:
            self._greedy[shape] = lm.Greedy(self.model, *shape)
        return self._greedy[shape](prompts)

    def _write(self, arm: Arm, fraction: float, seed: int) -> None:
        """Write an arm's weights over the model's, its vocabulary included."""
        if arm.domain in (NOISE, NOISE_ENTRY):
            per = "row" if arm.domain == NOISE else "entry"
            for name, p in self.parameters.items():
                p.copy_(noisy(self.whole[name].float(), fraction**0.5, seed, name, per=per))
        elif arm.order == CORRUPT:
            for name, p in self.parameters.items():
                decode(corrupt(self._encoded(arm.domain, name), 1 - fraction, seed), out=p)
        elif arm.prior in FROM_KEPT:  # one at a time: all of them would be a second model in float32
            for name, p in self.parameters.items():
                fill = Fill(arm.fill, arm.weight, {name: self._from_kept(arm, name, fraction, seed)})
                decode(self._encoded(arm.domain, name), fraction, arm.order, fill, seed, out=p)
        else:
            prior = {name: self._prior_of(arm, name) for name in self.parameters} if arm.prior else None
            live = self._together(arm.domain)
            live.decode(fraction, arm.order, Fill(arm.fill, arm.weight, prior), seed)

    def _cosine(self) -> float:
        """Of the model's matrices, as they are now, to the whole ones, over all of them."""
        sums = torch.zeros(2, dtype=torch.float64, device=self.tokens.device)  # <whole, now>, <now, now>
        for name, p in self.parameters.items():
            a, b = self.whole[name].float(), p.float()
            found = [(a * b).sum(dtype=torch.float64), b.square().sum(dtype=torch.float64)]
            sums += torch.stack(found).to(sums.device)
        dot, other = sums.tolist()
        return dot / (self._norm * other) ** 0.5 if other else 0.0

    def _together(self, domain: str) -> Live:
        """All matrices under a transform, each with the parameter it is decoded into."""
        if self._live is None or self._codec != Codec(transform=domain, cap=self.cap):
            self._live = Live([(self._encoded(domain, name), p) for name, p in self.parameters.items()])
        return self._live

    def _encoded(self, domain: str, name: str) -> Encoded:
        """The stored form under a transform; those of one transform are kept at a time."""
        codec = Codec(transform=domain, cap=self.cap)
        if codec != self._codec:
            self._codec, self._codes, self._priors, self._live = codec, {}, {}, None
        if name not in self._codes:
            self._codes[name] = encode(self.whole[name], codec, name, transposed=transposed(name))
        return self._codes[name]

    def _from_kept(self, arm: Arm, name: str, fraction: float, seed: int) -> Tensor:
        return from_kept(arm.prior, decode(self._encoded(arm.domain, name), fraction, arm.order, Fill("gain"), seed))

    def _prior_of(self, arm: Arm, name: str) -> Encoded:
        """A prior under the arm's transform; the stored forms of one prior are kept at a time."""
        encoded = self._encoded(arm.domain, name)
        if arm.prior not in self.priors:
            raise ValueError(f"prior {arm.prior!r} is unknown; there are {', '.join([*self.priors, *FROM_KEPT])}")
        known = self.priors[arm.prior][name]
        if (arm.prior, name) not in self._priors or self._priors[arm.prior, name][0] is not known:
            self._priors = {key: pair for key, pair in self._priors.items() if key[0] == arm.prior}
            coded = encode(known.to(self.whole[name]), encoded.codec, name, transposed=encoded.transposed)
            self._priors[arm.prior, name] = known, coded
        return self._priors[arm.prior, name][1]

    def _batches(self):
        one = (self.tokens.shape[1] - 1) * self.model.config.vocab_size
        batch = max(1, min(self.batch, LOGITS // one))
        for at in range(0, len(self.tokens), batch):
            yield at, self.tokens[at : at + batch]

    def _check_memory(self) -> None:
        """Whole weights, their codes and the reference's log-probabilities must fit beside the model."""
        if len({p.device for p in self.parameters.values()}) != 1:
            return
        codec = Codec(cap=self.cap)
        weights = sum(p.nbytes + codec.nbytes(p.shape) for p in self.parameters.values())
        logits = 4 * self.tokens[:, 1:].numel() * self.model.config.vocab_size
        what = f"taking {self.found.name} apart ({len(self.tokens)} texts)"
        advice = "take fewer texts (parameter texts), a smaller model, or another device"
        devices.need_memory(weights + logits + 8 * min(LOGITS, logits), str(self.tokens.device), what, advice)

    def _logits(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            return self.model(x).logits[:, :-1].float()  # (b, T-1, V)

    def _log_probs(self) -> Tensor:
        """(N, T-1, V): log-probabilities of the whole model."""
        return torch.cat([self._logits(x).log_softmax(-1) for _, x in self._batches()])
