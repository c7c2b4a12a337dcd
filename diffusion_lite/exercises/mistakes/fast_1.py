"""Wrong answers: a DDIM step with some noise."""


def _std(t, s, schedule):
    """Return the posterior's standard deviation."""
    a_t, a_s = schedule.alpha_bar[t], schedule.alpha_bar[s]
    return ((1 - a_s) / (1 - a_t) * (1 - a_t / a_s)).sqrt()


def _x_0(x_t, eps_hat, t, schedule):
    a_t = schedule.alpha_bar[t]
    return (x_t - (1 - a_t).sqrt() * eps_hat) / a_t.sqrt()


def _step(x_0, eps_hat, s, omega, z, schedule):
    a_s = schedule.alpha_bar[s]
    direction = (1 - a_s - omega**2).sqrt()
    return a_s.sqrt() * x_0 + direction * eps_hat + omega * z


def omega_for_the_direction(x_t, t, s, eps_hat, z, schedule, eta):
    """It looks like the factor of z on eps_hat as well."""
    omega, a_s = eta * _std(t, s, schedule), schedule.alpha_bar[s]
    x_0 = _x_0(x_t, eps_hat, t, schedule)
    return a_s.sqrt() * x_0 + omega * eps_hat + omega * z


def eta_on_the_variance(x_t, t, s, eps_hat, z, schedule, eta):
    """It looks like eta times the variance: eta multiplies the std."""
    omega = eta**0.5 * _std(t, s, schedule)
    x_0 = _x_0(x_t, eps_hat, t, schedule)
    return _step(x_0, eps_hat, s, omega, z, schedule)


def variance_for_std(x_t, t, s, eps_hat, z, schedule, eta):
    """It looks like the posterior's variance where its root belongs."""
    omega = eta * _std(t, s, schedule) ** 2
    x_0 = _x_0(x_t, eps_hat, t, schedule)
    return _step(x_0, eps_hat, s, omega, z, schedule)


def lost_noise(x_t, t, s, eps_hat, z, schedule, eta):
    """It looks like a step whose noise is lost: omega z is not added."""
    omega, x_0 = eta * _std(t, s, schedule), _x_0(x_t, eps_hat, t, schedule)
    return _step(x_0, eps_hat, s, omega, 0 * z, schedule)


def direction_too_long(x_t, t, s, eps_hat, z, schedule, eta):
    """It looks like noise that is added while eps_hat keeps all its share."""
    omega, a_s = eta * _std(t, s, schedule), schedule.alpha_bar[s]
    x_0 = _x_0(x_t, eps_hat, t, schedule)
    return a_s.sqrt() * x_0 + (1 - a_s).sqrt() * eps_hat + omega * z


def beta_for_a_leap(x_t, t, s, eps_hat, z, schedule, eta):
    """It looks like beta_t, of one step, for a leap: 1 - a_t / a_s."""
    a_t, a_s = schedule.alpha_bar[t], schedule.alpha_bar[s]
    omega = eta * ((1 - a_s) / (1 - a_t) * schedule.beta[t]).sqrt()
    x_0 = _x_0(x_t, eps_hat, t, schedule)
    return _step(x_0, eps_hat, s, omega, z, schedule)


def forward_variance(x_t, t, s, eps_hat, z, schedule, eta):
    """It looks like the forward variance, without (1 - a_s) / (1 - a_t)."""
    a_t, a_s = schedule.alpha_bar[t], schedule.alpha_bar[s]
    omega = eta * (1 - a_t / a_s).sqrt()
    x_0 = _x_0(x_t, eps_hat, t, schedule)
    direction = (1 - a_s - omega**2).clamp(min=0).sqrt()
    return a_s.sqrt() * x_0 + direction * eps_hat + omega * z


def signal_of_t(x_t, t, s, eps_hat, z, schedule, eta):
    """It looks like alpha_bar_t on x_0, where alpha_bar_s belongs."""
    a_t, a_s = schedule.alpha_bar[t], schedule.alpha_bar[s]
    omega, x_0 = eta * _std(t, s, schedule), _x_0(x_t, eps_hat, t, schedule)
    direction = (1 - a_s - omega**2).sqrt()
    return a_t.sqrt() * x_0 + direction * eps_hat + omega * z


def direction_of_t(x_t, t, s, eps_hat, z, schedule, eta):
    """It looks like 1 - alpha_bar_t in the direction: it is that of s."""
    a_t, a_s = schedule.alpha_bar[t], schedule.alpha_bar[s]
    omega, x_0 = eta * _std(t, s, schedule), _x_0(x_t, eps_hat, t, schedule)
    return a_s.sqrt() * x_0 + (1 - a_t - omega**2).sqrt() * eps_hat + omega * z


def not_divided(x_t, t, s, eps_hat, z, schedule, eta):
    """It looks like an x_0 that is not divided by sqrt(alpha_bar_t)."""
    omega = eta * _std(t, s, schedule)
    x_0 = x_t - (1 - schedule.alpha_bar[t]).sqrt() * eps_hat
    return _step(x_0, eps_hat, s, omega, z, schedule)


def alpha_of_the_paper(x_t, t, s, eps_hat, z, schedule, eta):
    """It looks like alpha, of one step: the DDIM paper's is our alpha_bar."""
    a_t, a_s = schedule.alpha[t], schedule.alpha[s]
    omega = eta * ((1 - a_s) / (1 - a_t) * (1 - a_t / a_s)).sqrt()
    x_0 = (x_t - (1 - a_t).sqrt() * eps_hat) / a_t.sqrt()
    return a_s.sqrt() * x_0 + (1 - a_s - omega**2).sqrt() * eps_hat + omega * z


def noise_added_to_x_t(x_t, t, s, eps_hat, z, schedule, eta):
    """It looks like eps_hat added to x_t: to find x_0 it is taken off."""
    omega = eta * _std(t, s, schedule)
    x_0 = _x_0(x_t, -eps_hat, t, schedule)
    return _step(x_0, eps_hat, s, omega, z, schedule)


def mean_of_all(x_t, t, s, eps_hat, z, schedule, eta):
    """it must be (3,)"""
    omega, x_0 = eta * _std(t, s, schedule), _x_0(x_t, eps_hat, t, schedule)
    return _step(x_0, eps_hat, s, omega, z, schedule).mean()
