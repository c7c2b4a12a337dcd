"""The small film has all its frames, and says what it shows."""

import base64
import io

import numpy as np
import torch
from PIL import Image

from diffusion_lite.explorables.flip_book import flip_book


def test_a_flip_book_has_every_frame_in_one_picture():
    path = torch.linspace(-1, 1, 5)[:, None, None, None, None]
    page = flip_book(path.expand(5, 3, 1, 8, 8), 2, 'a "path"').data
    assert 'aria-label="a &quot;path&quot;"' in page
    assert 'max="4"' in page
    data = page.split("base64,")[1].split(")")[0]
    sprite = np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))
    assert sprite.shape == (5 * 17, 17, 4)
    assert sprite[::17, 0, 0].tolist() == [255, 191, 128, 64, 0]
    assert "http" not in page
