"""What the pedagogical chapters are made of, checked before anything is trained: frozen settings, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass

from helpers.checks import at_least, expect


@dataclass(frozen=True)
class Body:
    """The generator that every arm shares. size: of a square image, a multiple of four; channels: of the first map, of size / 4
    a side, and of the two that double it; latent, embed: widths of z and of a label's embedding; told: width of v_pred;
    first: whether the first map is normalised and rectified, which the document's Weaver leaves out."""

    size: int = 28
    channels: tuple[int, int, int] = (256, 128, 64)
    latent: int = 64
    embed: int = 64
    classes: int = 10
    told: int = 16
    first: bool = True

    def __post_init__(self):
        near = max(8, 4 * round(self.size / 4))
        expect(self.size == near, f"size={self.size}: a generator doubles its map twice; use images of {near} pixels")
        expect(len(self.channels) == 3, f"channels={self.channels}: a generator has three maps; use three numbers")
        expect(min(self.channels) >= 1, f"channels={self.channels}: a map needs a channel; use 1 or more")
        at_least(self, latent=1, embed=1, classes=2, told=1)


@dataclass(frozen=True)
class Sense:
    """A network that looks at images, the Witness or a discriminator. channels: of its maps, each half as large as the one
    before; hidden: of its heads, 0 for none; told: width of v_seen, 0 for none; labelled: whether the label is an image of its
    own beside what it looks at; drop: the share of channels left out in training."""

    size: int = 28
    channels: tuple[int, ...] = (64, 128, 256)
    classes: int = 10
    hidden: int = 128
    told: int = 16
    labelled: bool = False
    drop: float = 0.3

    def __post_init__(self):
        expect(self.channels and min(self.channels) >= 1, f"channels={self.channels}: use 1 or more in each map")
        expect(0 <= self.drop < 1, f"drop={self.drop}: a share of channels to leave out is 0 or more and below 1")
        at_least(self, size=4, classes=2, hidden=0, told=0)

    @property
    def flat(self) -> int:
        """Numbers in the last map."""
        side = self.size
        for _ in self.channels:
            side = -(-side // 2)
        return self.channels[-1] * side * side
