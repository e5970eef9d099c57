"""Conservation of separability (seed document 003): what its four experiments share, and the experiments."""
