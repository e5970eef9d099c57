"""Conservation of separability (seed document 003): what its four experiments share.

`metrics` and `clamps` are pure functions on tensors; `models` is the small transformer with sites that can be read and
edited, and `bridge` the same weights in TransformerLens; `heads` constrains and ablates; `law` asks whether Ψ = G + A;
`plots` draws the document's figures from its log files. Each experiment is a sub-package with the face of a part:
`foundation` (A), `repair` (B), `grokking` (C), `superposition` (D).
"""
