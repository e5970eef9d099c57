"""What the engines of experiment C are held to: whole sequences, torch's modules and optimisers, one model at a time."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

BETAS = 0.9, 0.98


def grok_logits(params, pairs, heads):
    """Logits (N, p) of one model on pairs (N, 2): the causal layer over all three tokens, head by head."""
    p, d = params["W_E"].shape[0] - 1, params["W_E"].shape[1]
    tokens = torch.cat([pairs, torch.full_like(pairs[:, :1], p)], 1)  # (N, 3)
    x = params["W_E"][tokens] + params["W_pos"]
    causal = torch.ones(3, 3, device=pairs.device).tril().bool()
    added, size = 0, d // heads
    for h in range(heads):
        at = slice(h * size, (h + 1) * size)
        q, k, v = (x @ params[name][:, at] for name in ("W_Q", "W_K", "W_V"))
        pattern = (q @ k.transpose(1, 2) / size**0.5).masked_fill(~causal, -torch.inf).softmax(-1)
        added = added + pattern @ v @ params["W_O"][at]
    x = x + added
    x = x + torch.relu(x @ params["W_in"] + params["b_in"]) @ params["W_out"] + params["b_out"]
    return (x @ params["W_U"])[:, -1]


def grok_losses(params, pairs, heads, steps, rate, decay):
    """Losses (steps,) of torch.optim.AdamW with a loss in double precision, in the order of training."""
    params = {k: v.clone().requires_grad_(True) for k, v in params.items()}
    optimiser = torch.optim.AdamW(list(params.values()), lr=rate, betas=BETAS, weight_decay=decay)
    p, out = params["W_E"].shape[0] - 1, []
    for _ in range(steps):
        loss = F.cross_entropy(grok_logits(params, pairs, heads).double(), pairs.sum(1) % p)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        out.append(float(loss.detach()))
    return np.array(out)


class Document(nn.Module):
    """The document's network, of torch's modules, on tokens [a, b + p]."""

    def __init__(self, p, d, heads, mlp):
        super().__init__()
        self.emb = nn.Embedding(2 * p + 10, d)
        self.ln1, self.ln2, self.ln3 = (nn.LayerNorm(d) for _ in range(3))
        self.attention = nn.MultiheadAttention(d, heads, batch_first=True)
        self.up, self.down, self.head = nn.Linear(d, mlp), nn.Linear(mlp, d), nn.Linear(d, p)
        self.p = p

    def forward(self, pairs):
        x = self.emb(pairs + torch.tensor([0, self.p]))
        y = self.ln1(x)
        x = x + self.attention(y, y, y, need_weights=False)[0]
        x = x + self.down(torch.relu(self.up(self.ln2(x))))
        return self.head(self.ln3(x))[:, 1]

    def take(self, start):
        """These parameters, in place."""
        with torch.no_grad():
            self.emb.weight.copy_(start["emb"])
            for i, norm in enumerate((self.ln1, self.ln2, self.ln3), 1):
                norm.weight.copy_(start[f"g{i}"])
                norm.bias.copy_(start[f"c{i}"])
            self.attention.in_proj_weight.copy_(start["in_w"])
            self.attention.in_proj_bias.copy_(start["in_b"])
            for module, name in (
                (self.attention.out_proj, "out"),
                (self.up, "up"),
                (self.down, "down"),
                (self.head, "head"),
            ):
                module.weight.copy_(start[f"{name}_w"])
                module.bias.copy_(start[f"{name}_b"])
        return self
