"""A Gaussian mixture, where everything that we want to learn is known.

A mixture stays a mixture under the forward process. So its density, its
score, its best possible denoiser and the loss that no network can beat are
exact, at every t, and a trained network can be compared with them.
"""

import math
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from diffusion_lite.arguments import (
    at,
    batch,
    inside,
    normal,
    one_step,
    rows,
    source,
    time_steps,
    whole,
)
from diffusion_lite.schedules import Schedule


@dataclass(frozen=True, eq=False)
class GaussianMixture:
    """A mixture of K Gaussians in D dimensions, in float64.

    Shapes: weights (K,), positive, of sum 1; means (K, D); covariances
    (K, D, D), symmetric, positive definite.
    """

    weights: Tensor
    means: Tensor
    covariances: Tensor

    def __post_init__(self) -> None:
        for name in ("weights", "means", "covariances"):
            x = torch.as_tensor(getattr(self, name), device="cpu").detach()
            x = batch(name, x).to(torch.float64, copy=True)
            object.__setattr__(self, name, x)
        _check_shapes(self.weights, self.means, self.covariances)
        _check_weights(self.weights)
        _check_covariances(self.covariances)

    @property
    def dim(self) -> int:
        """D, the number of dimensions."""
        return self.means.shape[1]

    @property
    def mean(self) -> Tensor:
        """The mean of the whole mixture, (D,)."""
        return self.weights @ self.means

    @property
    def covariance(self) -> Tensor:
        """The covariance of the whole mixture, (D, D).

        The mean of the components' covariances plus the covariance of
        their means.
        """
        offset = self.means - self.mean
        between = offset[:, :, None] * offset[:, None, :]
        return torch.einsum(
            "k,kde->de", self.weights, self.covariances + between
        )

    @cached_property
    def _axes(self) -> tuple[Tensor, Tensor]:
        """The covariances' eigenvalues (K, D) and eigenvectors (K, D, D).

        Noising changes the eigenvalues only.
        """
        values, vectors = torch.linalg.eigh(self.covariances)
        return values, vectors

    def sample(self, n: int, *, generator: torch.Generator) -> Tensor:
        """Return n samples, (n, D)."""
        (n,) = whole(1, n=n)
        k = torch.multinomial(
            self.weights, n, replacement=True, generator=source(generator)
        )
        z = normal((n, self.dim), generator, torch.float64)
        variances, axes = self._axes
        spread = (axes[k] * variances[k].sqrt()[:, None, :]) @ z[:, :, None]
        return self.means[k] + spread[:, :, 0]

    def noised(self, t: int, schedule: Schedule) -> "GaussianMixture":
        """Return q(x_t), exactly: a mixture again, for one t in 0..T.

        Means sqrt(alpha_bar_t) mu_k, covariances
        alpha_bar_t Sigma_k + (1 - alpha_bar_t) I, the same weights.
        Book: eq-mixture-noised. Source: Ho et al. 2020, eq. 4, integrated
        over x_0.
        """
        alpha_bar = schedule.alpha_bar[one_step(t, 0, schedule.T)]
        eye = torch.eye(self.dim, device="cpu").to(alpha_bar)
        return GaussianMixture(
            self.weights,
            alpha_bar.sqrt() * self.means,
            alpha_bar * self.covariances + (1 - alpha_bar) * eye,
        )

    def reverse(
        self, x_t: Tensor, t: int, schedule: Schedule
    ) -> "GaussianMixture":
        """Return q(x_s | x_t), where s = t - 1, for one x_t: exactly.

        With G_k = Sigma_{k,s} (alpha_t Sigma_{k,s} + beta_t I)^-1, where
        Sigma_{k,s} belongs to q(x_s): weights p(k | x_t), means
        sqrt(alpha_bar_s) mu_k + sqrt(alpha_t) G_k (x_t - sqrt(alpha_bar_t)
        mu_k), covariances beta_t G_k.
        Book: eq-reverse-mixture.
        Shapes: x_t (D,); t in 1..T.
        """
        x_t = batch("x_t", x_t)
        row = rows("x_t, as one row,", x_t[None], self.dim)
        row = row.to("cpu", torch.float64)
        t = one_step(t, 1, schedule.T)
        alpha, beta = schedule.alpha[t], schedule.beta[t]
        before = self.noised(t - 1, schedule)
        eye = torch.eye(self.dim, device="cpu").to(beta)
        gain = torch.linalg.solve(
            alpha * before.covariances + beta * eye, before.covariances
        )
        gain = (gain + gain.mT) / 2  # symmetric, but for rounding
        offset = (row - alpha.sqrt() * before.means)[:, :, None]
        shift = alpha.sqrt() * (gain @ offset)[:, :, 0]
        share = self.noised(t, schedule).responsibilities(row)[0]
        share = share.clamp(min=torch.finfo(share.dtype).tiny)
        return GaussianMixture(share, before.means + shift, beta * gain)

    def log_prob(self, x: Tensor) -> Tensor:
        """Return the log-density of each row of x, in nats: (B,)."""
        return self._at_alpha_bar(x, self.weights.new_ones(1, 1)).log_prob

    def score(self, x: Tensor) -> Tensor:
        """Return grad log p at each row of x: (B, D)."""
        return self._at_alpha_bar(x, self.weights.new_ones(1, 1)).score

    def responsibilities(self, x: Tensor) -> Tensor:
        """Return p(component | x), for each row of x: (B, K)."""
        return self._at_alpha_bar(
            x, self.weights.new_ones(1, 1)
        ).log_share.exp()

    def optimal_eps(
        self, x_t: Tensor, t: int | Tensor, schedule: Schedule
    ) -> Tensor:
        """Return E[eps | x_t], the best possible denoiser: (B, D).

        E[eps | x_t] = -sqrt(1 - alpha_bar_t) grad log q(x_t), Tweedie's
        formula; t may differ from row to row, and runs 0..T.
        Book: eq-tweedie.
        Source: Efron 2011, "Tweedie's formula and selection bias", section 1,
        for this noise.
        """
        alpha_bar = at(schedule.alpha_bar, t, _double(x_t, self.dim))
        q_t = self._at_alpha_bar(x_t, alpha_bar)
        return (-(1 - alpha_bar).sqrt() * q_t.score).to(x_t)

    def eps_variance(
        self, x_t: Tensor, t: int | Tensor, schedule: Schedule
    ) -> Tensor:
        """Return Var(eps | x_t), the mean over the dimensions: (B,).

        Given its component, eps is Gaussian; the variance is the mean of
        the components' variances plus the variance of their means. For
        one component it is the same at every x_t.
        Book: eq-linear-loss.
        """
        alpha_bar = at(schedule.alpha_bar, t, _double(x_t, self.dim))
        q_t = self._at_alpha_bar(x_t, alpha_bar)
        noise = 1 - alpha_bar
        share = q_t.log_share.exp()
        within = self.dim - noise * (1 / q_t.variances).sum(-1)
        between = noise * q_t.scores.square().sum(-1)
        second = (share * (within + between)).sum(-1)
        return (second - noise[:, 0] * q_t.score.square().sum(-1)) / self.dim

    def bayes_loss(
        self,
        t: int | Tensor,
        schedule: Schedule,
        *,
        generator: torch.Generator,
        n: int = 10_000,
    ) -> tuple[Tensor, Tensor]:
        """Return the loss that no network can beat, and its error.

        floor_t = E Var(eps | x_t), the mean over the dimensions: what is
        left of E |eps - eps_hat|^2 / D when eps_hat is E[eps | x_t]. The
        inner variance is exact; the outer mean is over n samples of x_t, and
        the error is its standard error. For t (M,) both have shape (M,).
        Book: eq-floor.
        """
        (n,) = whole(2, n=n)
        steps = time_steps(t, 0, schedule.T)
        whole(1, **{"entries of t": steps.numel()})
        values = torch.stack(
            [
                self._eps_variances(n, s, schedule, generator)
                for s in steps.flatten().tolist()
            ]
        )
        error = values.std(1) / n**0.5
        return values.mean(1).reshape(steps.shape), error.reshape(steps.shape)

    def _eps_variances(
        self, n: int, t: int, schedule: Schedule, generator: torch.Generator
    ) -> Tensor:
        """Return Var(eps | x_t) at n samples of x_t: (n,)."""
        x_t = self.noised(t, schedule).sample(n, generator=generator)
        return self.eps_variance(x_t, t, schedule)

    def _at_alpha_bar(self, x: Tensor, alpha_bar: Tensor) -> "_Marginal":
        """Evaluate the mixture, noised to alpha_bar (B, 1), at x (B, D)."""
        x = _double(x, self.dim)
        variances, axes = self._axes
        variances = alpha_bar[:, None] * variances
        variances = variances + (1 - alpha_bar[:, None])  # (B, K, D)
        offset = x[:, None] - alpha_bar[:, None].sqrt() * self.means
        offset = torch.einsum("kde,bkd->bke", axes, offset)
        log_component = -0.5 * (
            offset.square() / variances + (2 * math.pi * variances).log()
        ).sum(-1)
        log_joint = self.weights.log() + log_component  # (B, K)
        log_prob = log_joint.logsumexp(-1)
        scores = -torch.einsum("kde,bke->bkd", axes, offset / variances)
        return _Marginal(
            log_prob, log_joint - log_prob[:, None], variances, scores
        )


def together(*parts: GaussianMixture) -> GaussianMixture:
    """Return the mixture of all parts, as much of each: classes, unlabelled.

    Shapes: the parts have one number of dimensions.
    """
    whole(1, **{"number of parts": len(parts)})
    if len({part.dim for part in parts}) > 1:
        raise ValueError(
            "parts must have one number of dimensions, got "
            f"{[part.dim for part in parts]}"
        )
    return GaussianMixture(
        torch.cat([part.weights / len(parts) for part in parts]),
        torch.cat([part.means for part in parts]),
        torch.cat([part.covariances for part in parts]),
    )


def gaussian_fit(x: Tensor) -> GaussianMixture:
    """Return the one Gaussian with the mean and covariance of x, (N, D).

    Its ``optimal_eps`` is the best *linear* denoiser of the data.
    Book: eq-linear-denoiser.
    The rows must vary in every direction.
    """
    if batch("x", x).ndim != 2 or len(x) < 2:
        raise ValueError(f"x must be (N, D), N > 1, got {tuple(x.shape)}")
    covariance = x.double().T.cov().reshape(1, x.shape[1], x.shape[1])
    return GaussianMixture(
        torch.ones(1), x.double().mean(0, keepdim=True), covariance
    )


def kl_to_normal(
    mixture: GaussianMixture, mean: float = 0.0, variance: float = 1.0
) -> float:
    """Return KL(p || N(mean, variance)) of a 1-D mixture p, in nats.

    The integral of p(x) (log p(x) - log N(x; mean, variance)), by the
    trapezoid rule on a grid of 20,001 points that reaches 12 standard
    deviations, of the widest component, beyond the outermost means.
    Book: eq-kl-to-noise, eq-bound-distance.
    """
    (mean,) = inside(-math.inf, math.inf, mean=mean)
    (variance,) = inside(0, math.inf, variance=variance)
    if mixture.dim != 1:
        raise ValueError(f"mixture must be 1-D, got {mixture.dim}-D")
    reach = 12 * float(mixture.covariances.max().sqrt())
    low, high = mixture.means.min() - reach, mixture.means.max() + reach
    x = torch.linspace(float(low), float(high), 20_001, dtype=torch.float64)
    log_p = mixture.log_prob(x[:, None])
    log_normal = -((x - mean) ** 2) / (2 * variance)
    log_normal = log_normal - math.log(2 * math.pi * variance) / 2
    kl = torch.trapezoid(log_p.exp() * (log_p - log_normal), x)
    return max(0.0, float(kl))  # where it is 0, rounding may leave -1e-16


@dataclass(frozen=True, eq=False)
class _Marginal:
    """A noised mixture, evaluated at a batch of points."""

    log_prob: Tensor  # (B,)
    log_share: Tensor  # (B, K), log p(component | x)
    variances: Tensor  # (B, K, D), along each component's own axes
    scores: Tensor  # (B, K, D), of each component alone

    @property
    def score(self) -> Tensor:
        return (self.log_share.exp()[:, :, None] * self.scores).sum(1)


def _double(x: Tensor, dim: int) -> Tensor:
    return rows("x", batch("x", x), dim).to("cpu", torch.float64)


def _check_shapes(weights: Tensor, means: Tensor, covariances: Tensor) -> None:
    K = len(weights)
    D = means.shape[-1]
    given = [tuple(x.shape) for x in (weights, means, covariances)]
    if given != [(K,), (K, D), (K, D, D)]:
        raise ValueError(
            "weights, means and covariances must be (K,), (K, D) and "
            f"(K, D, D), got {given[0]}, {given[1]} and {given[2]}"
        )


def _check_weights(weights: Tensor) -> None:
    total = float(weights.sum())
    if bool((weights <= 0).any()) or abs(total - 1) > 1e-6:
        raise ValueError(
            "weights must be positive and sum to 1, got "
            f"{weights.tolist()} with sum {total:g}"
        )


def _check_covariances(covariances: Tensor) -> None:
    for k, covariance in enumerate(covariances):
        if not torch.allclose(covariance, covariance.T):
            raise ValueError(
                "covariances must be symmetric, got covariances"
                f"[{k}] = {covariance.tolist()}"
            )
        lowest = float(torch.linalg.eigvalsh(covariance)[0])
        if lowest <= 0:
            raise ValueError(
                "covariances must be positive definite, got lowest "
                f"eigenvalue {lowest:g} of covariances[{k}]"
            )
