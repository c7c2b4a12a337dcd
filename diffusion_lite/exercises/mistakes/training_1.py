"""Wrong answers: the mean of the step back."""


def _parts(t, schedule):
    return schedule.beta[t], schedule.alpha[t], 1 - schedule.alpha_bar[t]


def no_root(x_t, t, eps_hat, schedule):
    """It looks like 1 - alpha_bar without its root."""
    beta, alpha, noise = _parts(t, schedule)
    return (x_t - beta / noise * eps_hat) / alpha.sqrt()


def alpha_without_root(x_t, t, eps_hat, schedule):
    """It looks like a division by alpha without its root."""
    beta, alpha, noise = _parts(t, schedule)
    return (x_t - beta / noise.sqrt() * eps_hat) / alpha


def divided_by_alpha_bar(x_t, t, eps_hat, schedule):
    """It looks like a division by the root of alpha_bar."""
    beta, _, noise = _parts(t, schedule)
    return (x_t - beta / noise.sqrt() * eps_hat) / (1 - noise).sqrt()


def all_at_once(x_t, t, eps_hat, schedule):
    """It looks like the noise of all steps taken off at once."""
    _, _, noise = _parts(t, schedule)
    return (x_t - noise.sqrt() * eps_hat) / (1 - noise).sqrt()


def added(x_t, t, eps_hat, schedule):
    """It looks like the noise added, not taken off."""
    beta, alpha, noise = _parts(t, schedule)
    return (x_t + beta / noise.sqrt() * eps_hat) / alpha.sqrt()


def taken_off_afterwards(x_t, t, eps_hat, schedule):
    """It looks like the noise taken off after the division."""
    beta, alpha, noise = _parts(t, schedule)
    return x_t / alpha.sqrt() - beta / noise.sqrt() * eps_hat


def root_of_beta(x_t, t, eps_hat, schedule):
    """It looks like the root of beta where beta belongs."""
    beta, alpha, noise = _parts(t, schedule)
    return (x_t - beta.sqrt() / noise.sqrt() * eps_hat) / alpha.sqrt()


def not_divided(x_t, t, eps_hat, schedule):
    """It looks like the division by the root of alpha forgotten."""
    beta, _, noise = _parts(t, schedule)
    return x_t - beta / noise.sqrt() * eps_hat


def alpha_for_alpha_bar(x_t, t, eps_hat, schedule):
    """It looks like alpha under the root where alpha_bar belongs."""
    beta, alpha, _ = _parts(t, schedule)
    return (x_t - beta / (1 - alpha).sqrt() * eps_hat) / alpha.sqrt()


def all_noise_for_beta(x_t, t, eps_hat, schedule):
    """It looks like 1 - alpha_bar for beta."""
    _, alpha, noise = _parts(t, schedule)
    return (x_t - noise / noise.sqrt() * eps_hat) / alpha.sqrt()


def one_step_early(x_t, t, eps_hat, schedule):
    """It looks like the right formula one step early."""
    beta, alpha, noise = _parts(t - 1, schedule)
    return (x_t - beta / noise.sqrt() * eps_hat) / alpha.sqrt()
