"""The settings that each method may search through: the third round's.

Each trained method has six settings for a task, so that each search costs
the same. README.md says what the earlier rounds were.
"""

from itertools import product


def _grid(**choices: tuple) -> list[dict]:
    """Return every combination of the choices."""
    return [
        dict(zip(choices, values, strict=True))
        for values in product(*choices.values())
    ]


SEARCH = {
    "ring": {
        "diffusion": _grid(
            lr=(3e-2, 6e-2), batch_size=(256, 512, 1024), T=(100,)
        ),
        "gan": _grid(
            lr=(1e-3, 3e-3), batch_size=(256, 512, 1024), noise_dim=(2,)
        ),
        "gan-r1": _grid(
            lr=(1e-3, 2e-3, 4e-3),
            batch_size=(256,),
            noise_dim=(8, 16),
            gamma=(0.1,),
        ),
        "vae": _grid(
            lr=(1e-2, 2e-2), batch_size=(256, 512, 1024), latent_dim=(8,)
        ),
        "flow": [
            {"lr": lr, "batch_size": 512, "layers": layers, "width": width}
            for lr in (1e-2, 2e-2, 4e-2)
            for layers, width in ((8, 67), (12, 54))  # of one size
        ],
        "kde": _grid(bandwidth=(0.01, 0.02, 0.03, 0.05)),
        "mixture": _grid(n_components=(4, 8, 12, 16)),
        "real": [{}],
    },
    "digits": {
        "diffusion": _grid(
            lr=(2e-3, 4e-3, 8e-3), batch_size=(64, 128), T=(100,)
        ),
        "gan": _grid(
            lr=(1e-3, 2e-3, 4e-3), batch_size=(128, 256), noise_dim=(32,)
        ),
        "gan-r1": _grid(
            lr=(2e-3, 4e-3, 8e-3),
            batch_size=(64,),
            noise_dim=(32,),
            gamma=(0.1, 0.3),
        ),
        "vae": _grid(
            lr=(3e-3, 5e-3, 8e-3), batch_size=(64,), latent_dim=(8, 16)
        ),
        "flow": [
            {"lr": lr, "batch_size": 64, "layers": layers, "width": width}
            for lr in (3e-3, 5e-3, 1e-2)
            for layers, width in ((12, 60), (16, 47))
        ],
        "kde": _grid(bandwidth=(0.03, 0.05, 0.1)),
        "mixture": _grid(n_components=(40, 80, 160), reg_covar=(3e-3,)),
        "real": [{}],
    },
}
