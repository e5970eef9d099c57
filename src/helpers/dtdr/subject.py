"""A model that is taken apart and put together again: what is kept of it goes in, what it can still do comes out."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import pandas as pd
import torch
from torch import Tensor

from helpers import devices, lm
from helpers.codec import decode
from helpers.dtdr.codes import Codes
from helpers.dtdr.copies import Copies, room
from helpers.dtdr.damage import Damage
from helpers.dtdr.weights import Weights, fingerprint
from helpers.work import short


class Subject:
    """A language model with its whole weights beside it, and text to score it on.

    tokens: (N, T) on any device. priors: {prior: {tensor name: weight}}, for guided fill; those named in FROM_KEPT are made
    from the kept part itself. prompts: (t,) tokens each, to be continued. begin: (t,), the printed experiment's prompt, the
    first of `prompts` by default. cap: largest block. model_seed: what the model was trained with. more: other facts for its
    records. copies: how many of the model are measured side by side; by default what serves a GPU.
    """

    def __init__(
        self,
        found: lm.LM,
        tokens: Tensor,
        prompts: Sequence[Tensor] = (),
        priors: Mapping[str, Mapping[str, Tensor]] | None = None,
        cap: int = 128,
        model_seed: int = 0,
        begin: Tensor | None = None,
        more: Mapping[str, object] | None = None,
        copies: int | None = None,
    ):
        if tokens.ndim != 2 or tokens.shape[1] < 2 or not len(tokens):
            raise ValueError(f"tokens has shape {tuple(tokens.shape)}; expected (texts, two tokens or more)")
        self.found, self.model, self.cap = found, found.model, cap
        self.model_seed, self.more = model_seed, dict(more or {})
        self.tokens = tokens.to(next(self.model.parameters()).device)
        self.prompts = list(prompts)
        self.begin = begin if begin is not None else self.prompts[0] if self.prompts else self.tokens[0, :1]
        self._check_memory()
        self.weights = Weights(self.model)
        self.priors = dict(priors or {})
        self.codes = Codes(self.weights, self.priors, cap)
        self._writer: lm.Writer | None = None
        self._prints: dict[str, tuple[Mapping, list[int]]] = {}
        self._reference = lm.log_probs(self.model, self.tokens)  # (N, T-1, V) of the whole model
        self.intact = self.measure()
        with self.damaged():
            self.weights.clear()  # what zero fill leaves of no coefficients, in every domain
            self.nothing = self.measure()["nll"]
        count = room(self) if copies is None else copies
        self._copies = Copies(self, count, self._reference) if count else None

    @property
    def whole(self) -> dict[str, Tensor]:
        """The matrices as they were, by name."""
        return self.weights.whole

    @property
    def facts(self) -> dict[str, object]:
        """What records say of the model."""
        config = self.model.config
        depth, width = (int(getattr(config, k, 0) or 0) for k in ("num_hidden_layers", "hidden_size"))
        size = sum(p.numel() for p in self.model.parameters())
        known = {"model": self.found.name, "intact": self.intact["nll"], "nothing": self.nothing, "parameters": size}
        return known | {"depth": depth, "width": width, "model_seed": self.model_seed} | self.more

    def parts(self) -> pd.DataFrame:
        """What is damaged and what stays whole: columns what, tensors, share (of the parameters), then."""
        return self.weights.table()

    def digest(self, prior: str = "") -> str:
        """Of weights, configuration, texts and one prior: rows that were kept belong to these only."""
        known = {"": self.weights.whole, " vectors": self.weights.vectors}
        known |= {prior: self.priors[prior]} if prior in self.priors else {}
        for name, weights in known.items():
            if name not in self._prints or self._prints[name][0] is not weights:
                self._prints[name] = weights, fingerprint(weights)
        texts = [self.tokens.tolist(), [p.tolist() for p in self.prompts], self.begin.tolist(), self.cap]
        built = {
            k: v for k, v in self.model.config.to_dict().items() if k not in ("_name_or_path", "transformers_version")
        }
        return short((texts, repr(built), list(self.weights.whole), [self._prints[name][1] for name in known]))

    @contextmanager
    def damaged(self) -> Iterator[None]:
        """Whatever is done to the weights inside is undone at the end, also after an error or an interruption."""
        try:
            with torch.no_grad():
                yield
        finally:
            self.weights.restore()

    def rebuild(self, damage: Damage, level: float, seed: int) -> float:
        """Write what a damage leaves at a level into the model. Returns the weights' cosine to the whole ones."""
        damage.check(level)
        with torch.no_grad():
            damage.apply(self, level, seed)
            return self.weights.cosine()

    def measured(self, damage: Damage, jobs: Sequence[tuple[int, float]]) -> list[dict[str, float]]:
        """The cosine of the weights and what `measure` gives, for each (mask's seed, level): in copies side by side where the
        subject has them, otherwise one after the other in the model itself.
        """
        if self._copies:
            return self._copies.measure(damage, jobs)
        return [{"cosine": self.rebuild(damage, level, seed)} | self.measure() for seed, level in jobs]

    def rest(self) -> None:
        """Forget all codes, to make room."""
        self.codes.clear()
        if self._copies:
            self._copies.clear()

    def stored(self, domain: str = "hadamard") -> dict[str, float]:
        """Bytes of the stored matrices, bytes of the same matrices in 32 bits, and signal to noise of the store in dB."""
        size = weights = 0
        sums: list[Tensor] = []  # of signal and noise; nothing is waited for until the end
        for name, encoded in self.codes.encoded(domain).items():
            whole = self.whole[name]
            back = decode(encoded).to(whole)
            size, weights = size + encoded.nbytes, weights + 4 * whole.numel()
            sums.append(torch.stack([whole.float().square().sum(), (back - whole).float().square().sum()]))
        signal, noise = (sum(each) for each in zip(*(pair.tolist() for pair in sums), strict=True))
        return {"bytes": size, "weights": weights, "snr": 10 * math.log10(signal / noise)}

    def measure(self) -> dict[str, float]:
        """Loss, KL to the whole model, top-1 agreement, centred-logit cosine, entropy of the model as it is now."""
        return lm.measure(self.model, self.tokens, whole=self._reference)

    def last(self, prompt: Tensor) -> Tensor:
        """(V,): logits of the next token after one prompt (T,)."""
        with torch.no_grad():
            return self.model(prompt[None].to(self.tokens.device)).logits[0, -1].float().cpu()

    def texts(self, prompts: Sequence[Tensor], new: int) -> list[str]:
        """Greedy continuations of the prompts by `new` tokens, decoded."""
        self._writer = self._writer or lm.Writer(self.found)
        return lm.texts(self._writer, prompts, new)

    def _check_memory(self) -> None:
        """Whole weights, their codes and the reference's log-probabilities must fit beside the model."""
        parameters = list(self.model.parameters())
        if len({p.device for p in parameters}) != 1:
            return
        weights = sum(p.nbytes + p.numel() + p.numel() // 8 for p in parameters)  # codes and scales, at most
        logits = 4 * self.tokens[:, 1:].numel() * self.model.config.vocab_size
        what = f"taking {self.found.name} apart ({len(self.tokens)} texts)"
        advice = "take fewer texts (parameter texts), a smaller model, or another device"
        devices.need_memory(weights + logits + min(1 << 29, 8 * logits), str(self.tokens.device), what, advice)
