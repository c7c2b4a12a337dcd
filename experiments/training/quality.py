"""Train two models as chapter 5 does, and print how good they are.

``make bench`` runs it: some ten minutes on two cores. Each figure stands
beside its floor. It is a benchmark, not a test: nothing fails.

- Eight modes: the seconds of training, and the loss above the exact floor.
- Digits, with labels and without: the Frechet distance to the training
  pictures after 60 seconds of training; as many pictures are sampled as the
  test set has. The floor is that of real pictures. With labels, the test
  set's, those are the test pictures. Without, the model's
  classes are random, and those of the real pictures must be so too: they are
  random splits of all.
"""

import itertools
import statistics
import time
from collections.abc import Callable
from functools import partial

import torch

from diffusion_lite.data import digits, eight_modes
from diffusion_lite.elbo import denoising_loss
from diffusion_lite.metrics import (
    digit_features,
    frechet_distance,
    real_floor,
)
from diffusion_lite.networks import MLP, UNet
from diffusion_lite.sampling import clamp_x_0, ddpm_sample
from diffusion_lite.schedules import cosine_schedule
from diffusion_lite.training import last, train

SEEDS = (0, 1, 2)
SCHEDULE = cosine_schedule(100)
SECONDS = 60.0


def main() -> None:
    """Print every figure, with its seeds and its floor."""
    print("Eight modes: seconds of training, loss above the floor")
    report(eight_modes_run, digits=4)
    steps = steps_in(SECONDS)
    for labelled, floor in ((True, labelled_floor()), (False, free_floor())):
        kind = "with" if labelled else "without"
        print(
            f"Digits {kind} labels: seconds, Frechet distance; {steps} steps"
        )
        report(partial(digits_run, steps=steps, labelled=labelled), digits=1)
        print(f"  floor: {floor:.1f}")


def report(run: Callable[[int], tuple[float, float]], digits: int) -> None:
    """Run every seed; print each row when it is done, and the means."""
    rows = []
    for seed in SEEDS:
        rows.append(run(seed))
        seconds, quality = rows[-1]
        print(
            f"  seed {seed}: {seconds:.1f} s, {quality:.{digits}f}", flush=True
        )
    seconds, quality = map(statistics.mean, zip(*rows, strict=True))
    print(f"  mean: {seconds:.1f} s, {quality:.{digits}f}")


def eight_modes_run(seed: int) -> tuple[float, float]:
    """Train as the lab does; return seconds and the loss above the floor."""
    mixture = eight_modes()
    generator = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    points = mixture.sample(100_000, generator=generator).float()
    begin = time.perf_counter()
    run = train(
        MLP(),
        partial(denoising_loss, schedule=SCHEDULE),
        points,
        steps=2000,
        batch_size=1024,
        lr=1e-2,
        generator=generator,
    )
    model = last(run).ema
    seconds = time.perf_counter() - begin
    excess = []
    for t in range(1, SCHEDULE.T + 1):
        x_t = mixture.noised(t, SCHEDULE).sample(4000, generator=generator)
        with torch.no_grad():
            eps_hat = model(x_t.float(), torch.full((4000,), t))
        best = mixture.optimal_eps(x_t, t, SCHEDULE)
        excess.append(float((eps_hat - best).square().mean()))
    return seconds, statistics.mean(excess)


def digits_training(seed: int, steps: int, labelled: bool):
    """Return the lab's run on the digits, with or without their labels."""
    torch.manual_seed(seed)
    data = digits()
    rows = (data.train_images, data.train_labels)
    return train(
        UNet(num_classes=10 if labelled else None),
        partial(denoising_loss, schedule=SCHEDULE),
        rows if labelled else rows[:1],
        steps=steps,
        batch_size=64,
        lr=2e-3,
        generator=torch.Generator().manual_seed(seed),
    )


def steps_in(seconds: float) -> int:
    """Return how many steps this machine takes in so many seconds."""
    run = digits_training(0, 100_000, labelled=True)
    for _ in itertools.islice(run, 20):
        pass
    begin = time.perf_counter()
    for _ in itertools.islice(run, 100):
        pass
    return int(100 * seconds / (time.perf_counter() - begin))


def digits_run(seed: int, steps: int, labelled: bool) -> tuple[float, float]:
    """Train and sample; return seconds and the mean of five distances."""
    begin = time.perf_counter()
    run = digits_training(seed, steps, labelled)
    model = last(run).ema
    seconds = time.perf_counter() - begin
    data = digits()
    train_features = digit_features(data.train_images)
    generator = torch.Generator().manual_seed(seed)
    distances = []
    if labelled:
        model = partial(model, y=data.test_labels)
    for _ in range(5):
        x_T = torch.randn(data.test_images.shape, generator=generator)
        run = ddpm_sample(
            clamp_x_0(model, SCHEDULE, -1, 1),
            x_T,
            SCHEDULE,
            generator=generator,
        )
        made = digit_features(last(run))
        distances.append(float(frechet_distance(made, train_features)))
    return seconds, statistics.mean(distances)


def labelled_floor() -> float:
    """Return the distance of real test and training pictures."""
    data = digits()
    real = digit_features(data.test_images)
    return float(frechet_distance(real, digit_features(data.train_images)))


def free_floor() -> float:
    """Return the mean distance of random splits of all real pictures."""
    data = digits()
    features = digit_features(torch.cat([data.train_images, data.test_images]))
    generator = torch.Generator().manual_seed(0)
    n = len(data.test_images)

    def split() -> tuple[torch.Tensor, torch.Tensor]:
        order = torch.randperm(len(features), generator=generator)
        return features[order[:n]], features[order[n:]]

    return float(real_floor(frechet_distance, split).mean())


if __name__ == "__main__":
    main()
