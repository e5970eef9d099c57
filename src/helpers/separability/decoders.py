"""A Hugging Face decoder seen as embedding, blocks and read-out: GPT-2's blocks and Llama's, grouped queries included.

Norms and MLPs are the model's own modules, attention is written out so that single heads can be had. `read` holds
what it has made to the model's own logits on a short text, so a kind of block that is computed otherwise is refused.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

CLOSE = 1e-3  # largest difference from the model's own logits, relative to their spread


class Decoder(ABC):
    """Blocks that add attention and then an MLP to a stream, each behind a norm. layers, heads: how many;
    unembedding: (V, d); gain, bias: (d,) of the final norm; centred: whether that norm takes the mean off (LayerNorm)
    or not (RMSNorm)."""

    layers: int
    heads: int
    unembedding: Tensor
    offset: Tensor | None  # (V,) of the unembedding
    gain: Tensor
    bias: Tensor | None
    centred: bool
    eps: float

    @abstractmethod
    def embed(self, tokens: Tensor) -> Tensor:
        """(B, T) ids -> (B, T, d)."""

    @abstractmethod
    def queries(self, layer: int, resid: Tensor, last: bool) -> tuple[Tensor, Tensor, Tensor]:
        """(B, T, d) -> queries (B, H, T or 1, E), keys and values (B, G, T, E) of G groups of heads."""

    @abstractmethod
    def mlp(self, layer: int, mid: Tensor) -> Tensor:
        """(…, d) -> (…, d): what the block's MLP adds to the stream."""

    @abstractmethod
    def out_matrix(self, layer: int) -> nn.Module:
        """The module that takes all heads of a block side by side, (…, H·E), to the stream."""

    @abstractmethod
    def writes(self, layer: int) -> tuple[Tensor, Tensor | None]:
        """The output matrices (H, E, d) of a block's heads, and their common bias (d,)."""

    def z(self, layer: int, resid: Tensor, last: bool = False) -> Tensor:
        """(B, T, d) -> (B, T, H, E), the heads before their output matrices. last: only at the last position, (B, 1,
        H, E)."""
        q, k, v = self.queries(layer, resid, last)
        k, v = (x.repeat_interleave(q.shape[1] // x.shape[1], dim=1) for x in (k, v))
        return F.scaled_dot_product_attention(q, k, v, is_causal=not last).transpose(1, 2)

    def written(self, layer: int, z: Tensor) -> Tensor:
        """(…, H, E) -> (…, d): what heads write, without the common bias."""
        return z.flatten(-2) @ self.writes(layer)[0].flatten(0, 1)

    def attended(self, layer: int, z: Tensor) -> Tensor:
        """(…, H, E) -> (…, d): what the block's attention adds to the stream."""
        bias = self.writes(layer)[1]
        return self.written(layer, z) if bias is None else self.written(layer, z) + bias

    def spread(self, resid: Tensor) -> Tensor:
        """(…, d) -> (…,): what the final norm divides by."""
        x = resid - resid.mean(-1, keepdim=True) if self.centred else resid
        return (x.square().mean(-1) + self.eps).sqrt()

    def direction(self, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        """u (B, d) and c (B,): logit a − logit b of a stream r is ⟨r, u⟩ / spread(r) + c. a, b: (B,) ids."""
        u = self.unembedding[a] - self.unembedding[b]
        c = u.new_zeros(len(u)) if self.bias is None else u @ self.bias
        if self.offset is not None:
            c = c + self.offset[a] - self.offset[b]
        u = u * self.gain
        return (u - u.mean(-1, keepdim=True) if self.centred else u), c

    def logits(self, resid: Tensor, ask: Tensor | None = None) -> Tensor:
        """(S, B, d) -> (S, B, V), or (S, B, K) of the ids `ask` (B, K)."""
        x = resid - resid.mean(-1, keepdim=True) if self.centred else resid
        x = x / self.spread(resid)[..., None] * self.gain
        x = x if self.bias is None else x + self.bias
        if ask is None:
            out = x @ self.unembedding.T
            return out if self.offset is None else out + self.offset
        out = torch.einsum("sbd,bkd->sbk", x, self.unembedding[ask])
        return out if self.offset is None else out + self.offset[ask]


class GPT2(Decoder):
    """GPT-2's blocks: LayerNorm, learned positions, one matrix for queries, keys and values."""

    def __init__(self, model: nn.Module):
        config, self.body = model.config, model.transformer
        self.layers, self.heads, self.centred, self.eps = config.n_layer, config.n_head, True, config.layer_norm_epsilon
        self.unembedding, self.offset = model.lm_head.weight, model.lm_head.bias
        self.gain, self.bias = self.body.ln_f.weight, self.body.ln_f.bias
        self.tanh = config.activation_function == "gelu_new"  # which the model's own module takes eight passes for

    def embed(self, tokens: Tensor) -> Tensor:
        return self.body.wte(tokens) + self.body.wpe.weight[: tokens.shape[1]]

    def queries(self, layer: int, resid: Tensor, last: bool) -> tuple[Tensor, Tensor, Tensor]:
        block = self.body.h[layer]
        q, k, v = block.attn.c_attn(block.ln_1(resid)).chunk(3, -1)
        q, k, v = (x.unflatten(-1, (self.heads, -1)).transpose(1, 2) for x in (q, k, v))
        return (q[:, :, -1:] if last else q), k, v

    def mlp(self, layer: int, mid: Tensor) -> Tensor:
        block = self.body.h[layer]
        if not self.tanh:
            return block.mlp(block.ln_2(mid))
        return block.mlp.c_proj(F.gelu(block.mlp.c_fc(block.ln_2(mid)), approximate="tanh"))

    def out_matrix(self, layer: int) -> nn.Module:
        return self.body.h[layer].attn.c_proj

    def writes(self, layer: int) -> tuple[Tensor, Tensor | None]:
        proj = self.out_matrix(layer)  # a Conv1D: (H·E, d)
        return proj.weight.unflatten(0, (self.heads, -1)), proj.bias


class Llama(Decoder):
    """Llama's blocks: RMSNorm, rotary positions, queries that share keys and values in groups."""

    def __init__(self, model: nn.Module):
        config, self.body = model.config, model.model
        self.layers, self.heads = config.num_hidden_layers, config.num_attention_heads
        self.centred, self.eps = False, config.rms_norm_eps
        self.unembedding, self.offset = model.lm_head.weight, model.lm_head.bias
        self.gain, self.bias = self.body.norm.weight, None

    def embed(self, tokens: Tensor) -> Tensor:
        return self.body.embed_tokens(tokens)

    def queries(self, layer: int, resid: Tensor, last: bool) -> tuple[Tensor, Tensor, Tensor]:
        from transformers.models.llama.modeling_llama import apply_rotary_pos_emb

        block = self.body.layers[layer]
        x, attention = block.input_layernorm(resid), block.self_attn
        each = attention.head_dim
        q, k, v = (
            p(x).unflatten(-1, (-1, each)).transpose(1, 2)
            for p in (attention.q_proj, attention.k_proj, attention.v_proj)
        )
        cos, sin = self.body.rotary_emb(x, torch.arange(x.shape[1], device=x.device)[None])
        q, k = apply_rotary_pos_emb(q, k, cos, sin)
        return (q[:, :, -1:] if last else q), k, v

    def mlp(self, layer: int, mid: Tensor) -> Tensor:
        block = self.body.layers[layer]
        return block.mlp(block.post_attention_layernorm(mid))

    def out_matrix(self, layer: int) -> nn.Module:
        return self.body.layers[layer].self_attn.o_proj

    def writes(self, layer: int) -> tuple[Tensor, Tensor | None]:
        proj = self.out_matrix(layer)  # (d, H·E)
        return proj.weight.T.unflatten(0, (self.heads, -1)), proj.bias


def tower(model: nn.Module) -> nn.Module:
    """The causal LM itself, of a model or of what was wrapped around one."""
    return getattr(model, "original_model", model)


@torch.no_grad()
def read(model: nn.Module, *, check: bool = True) -> Decoder:
    """See a causal LM of transformers as a `Decoder`. check: hold it to the model's own logits.

    Raises ValueError for a model whose blocks are of another kind than GPT-2's or Llama's.
    """
    model = tower(model)
    for kind, inner in ((GPT2, ("transformer", "h")), (Llama, ("model", "layers"))):
        if hasattr(getattr(model, inner[0], None), inner[1]):
            try:
                decoder = kind(model)
                wrong = differs(decoder, model) if check else 0.0
            except (AttributeError, RuntimeError) as error:
                raise ValueError(f"{_named(model)}: {str(error).splitlines()[0]}") from error
            if not wrong <= CLOSE:
                raise ValueError(f"{_named(model)}: its logits are missed by {wrong:.2g} of their spread")
            return decoder
    raise ValueError(f"{_named(model)}: it has neither")


def _named(model: nn.Module) -> str:
    return (
        f"a {type(model).__name__} cannot be taken apart here; use a model with GPT-2's or Llama's blocks, such as gpt2"
    )


def differs(decoder: Decoder, model: nn.Module) -> float:
    """Largest distance of the decoder's logits from the model's own on a short text, over their standard deviation."""
    tokens = torch.arange(min(7, len(decoder.unembedding)), device=decoder.unembedding.device)[None]
    resid = decoder.embed(tokens)
    for layer in range(decoder.layers):
        mid = resid + decoder.attended(layer, decoder.z(layer, resid))
        resid = mid + decoder.mlp(layer, mid)
    own = model(tokens).logits[0].float()
    return float((decoder.logits(resid)[0].float() - own).abs().max() / own.std().clamp(min=1e-12))


def digest(model: nn.Module | Mapping[str, Tensor]) -> str:
    """Sixteen digits of the sha256 over a model's parameters, by which what it gave is found again."""
    total = hashlib.sha256()
    for name, p in model.items() if isinstance(model, Mapping) else model.named_parameters():
        total.update(name.encode() + p.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes())
    return total.hexdigest()[:16]
