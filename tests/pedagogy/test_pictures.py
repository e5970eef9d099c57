"""Pictures read back by another reader."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image

from helpers.pedagogy import pictures


@pytest.mark.parametrize("wide", [1, 6, 31])
def test_another_reader_finds_the_same_pixels(wide):
    pixels = np.random.default_rng(0).integers(0, 256, (9, wide), dtype=np.uint8)
    content = base64.b64decode(pictures.png(pixels))
    greys = np.round(pixels / 17) * 17  # sixteen of them
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(content)).convert("L")), greys)


def test_a_strip_has_every_picture_in_its_place_and_its_grey():
    images = np.stack([np.full((1, 4, 5), v) for v in (-1.0, 0.0, 1.0)])
    found = pictures.strip(images, gap=1)
    assert found.shape == (4, 17)
    assert found[0].tolist() == [0] * 5 + [128] + [128] * 5 + [128] + [255] * 5
    assert pictures.strip(images[:1]).shape == (4, 5)


def test_other_arrays_are_refused():
    with pytest.raises(ValueError, match=r"expected uint8 \(height, width\)"):
        pictures.png(np.zeros((3, 3)))


def test_a_picture_is_told_in_words():
    found = pictures.shown(pictures.png(np.zeros((2, 2), np.uint8)), "7 > 3").bundle
    assert 'alt="7 &gt; 3"' in found["text/html"]
    assert found["text/plain"] == "[7 > 3]"


def test_a_picture_is_small():
    noise = np.random.default_rng(0).integers(0, 256, (28, 298)).astype(np.uint8)
    assert len(pictures.png(noise)) < 0.75 * noise.size  # half a byte a pixel, and a third more as text
