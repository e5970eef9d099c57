"""A model of a stack as a TransformerLens 4 bridge, with the same weights and the same edits at the same sites.

TransformerLens is optional (`pip install "representations-under-constraint[bridge]"`) and is imported where it is needed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from helpers.separability.models import EPSILON, Architecture, Edit, Edits
from helpers.stacked import Params

HOOKS = {"pattern": "attn.hook_pattern", "z": "attn.hook_z"}  # all others: hook_ and the site's kind


def native(params: Params, arch: Architecture, index: int = 0):
    """A `TransformerBridge` on the CPU that holds model `index` of a stack. Nothing is downloaded.

    Raises ImportError where TransformerLens is not installed, IndexError for a model that the stack has not.
    """
    try:
        from transformer_lens import TransformerBridge, TransformerBridgeConfig
    except ImportError as error:
        raise ImportError('TransformerLens is not installed: pip install "transformer-lens>=4.3,<5"') from error
    config = TransformerBridgeConfig(
        d_model=arch.d,
        d_head=arch.d_head,
        n_heads=arch.heads,
        n_layers=arch.layers,
        n_ctx=arch.length,
        d_vocab=arch.vocab,
        d_mlp=arch.d_mlp or None,
        attn_only=not arch.d_mlp,
        act_fn="relu",
        eps=EPSILON,
        normalization_type="LN" if arch.norm else None,
        init_weights=False,
    )
    bridge = TransformerBridge.boot_native(config)
    weights = _named({k: v[index].detach().cpu() for k, v in params.items()})
    with torch.no_grad():
        for name, p in bridge.named_parameters():
            name = name.replace("_original_component.", "")
            p.copy_(weights[name]) if name in weights else p.zero_()
    return bridge.eval()


@contextmanager
def edited(bridge, arch: Architecture, edits: Edits) -> Iterator[None]:
    """Inside, the bridge runs with edits as `models.forward` has them; afterwards it has no hook of them left.

    An edit sees one model, with an axis of one before it. A bridge's own `hook_resid_mid` is read by the MLP alone; here
    an edit of that site changes the skip, too. Raises ValueError as `models.forward` does.
    """
    hooks: list[tuple[str, object]] = []
    for site in edits:
        arch.check(site, edited=True)
    for site in sorted(edits, key=arch.sites.index):  # hooks of one place run in the order in which they were added
        hooks += _hooks(site, edits[site], arch)
    with bridge.hooks(fwd_hooks=hooks):
        yield


def _hooks(site: str, edit: Edit, arch: Architecture) -> list[tuple[str, object]]:
    """The bridge's hooks that make an edit."""
    kind, _, layer = site.partition(".")
    if kind == "final":
        return [("ln_final.hook_out" if arch.norm else "unembed.hook_in", lambda x, hook: edit(x[None])[0])]
    at = lambda name: f"blocks.{layer}.{name}"
    if kind == "z":
        split = lambda x: x.view(1, *x.shape[:2], arch.heads, arch.d_head)
        return [(at(HOOKS[kind]), lambda x, hook: edit(split(x))[0].view_as(x))]
    if kind == "resid_mid":
        before: dict[str, Tensor] = {}

        def keep(x: Tensor, hook: object) -> Tensor:
            before["x"] = x
            return x

        def replace(x: Tensor, hook: object) -> Tensor:
            return edit((before["x"] + x)[None])[0] - before["x"]

        return [(at("hook_resid_pre"), keep), (at("hook_attn_out"), replace)]
    return [(at(HOOKS.get(kind, f"hook_{kind}")), lambda x, hook: edit(x[None])[0])]


def _named(p: Params) -> Params:
    """One model's weights under the names that the bridge's own module gives them. Linear layers hold (out, in)."""
    out = {"tok_embed.weight": p["W_E"], "pos.weight": p["W_pos"], "head.weight": p["W_U"].T}
    for name in p:
        kind, _, layer = name.rpartition(".")
        if kind in ("W_Q", "W_K", "W_V"):  # (H, d, d_head)
            out[f"layers.{layer}.attn.{kind[-1].lower()}.weight"] = p[name].transpose(1, 2).flatten(0, 1)
        elif kind == "W_O":  # (H, d_head, d)
            out[f"layers.{layer}.attn.o.weight"] = p[name].flatten(0, 1).T
        elif kind in ("W_in", "W_out"):
            out[f"layers.{layer}.mlp.fc{kind[1:]}.weight"] = p[name].T
        elif kind in ("b_in", "b_out"):
            out[f"layers.{layer}.mlp.fc{kind[1:]}.bias"] = p[name]
        elif kind in ("ln1.w", "ln1.b", "ln2.w", "ln2.b"):
            out[f"layers.{layer}.{kind[:3]}.{'weight' if kind[-1] == 'w' else 'bias'}"] = p[name]
        elif name.startswith("ln_final"):
            out[f"ln_out.{'weight' if name[-1] == 'w' else 'bias'}"] = p[name]
    return out
