"""Wrong answers: eps from a network that says x_0."""


def _made(formula):
    def as_eps_model(x_0_model, schedule):
        def eps_model(x_t, t):
            a = schedule.alpha_bar[t][:, None]
            return formula(x_t, x_0_model(x_t, t), a, schedule, t)

        return eps_model

    return as_eps_model


def signed(x_0_model, schedule):
    """It looks like the sign turned round."""
    return _made(lambda x, x_0, a, *_: (a.sqrt() * x_0 - x) / (1 - a).sqrt())(
        x_0_model, schedule
    )


def without_root(x_0_model, schedule):
    """It looks like 1 - alpha_bar without its root."""
    return _made(lambda x, x_0, a, *_: (x - a.sqrt() * x_0) / (1 - a))(
        x_0_model, schedule
    )


def one_steps_alpha(x_0_model, schedule):
    """It looks like alpha for alpha_bar."""

    def formula(x, x_0, a, schedule, t):
        alpha = schedule.alpha[t][:, None]
        return (x - alpha.sqrt() * x_0) / (1 - alpha).sqrt()

    return _made(formula)(x_0_model, schedule)


def whole_x_0(x_0_model, schedule):
    """It looks like x_0 taken off whole, without sqrt(alpha_bar)."""
    return _made(lambda x, x_0, a, *_: (x - x_0) / (1 - a).sqrt())(
        x_0_model, schedule
    )


def not_divided(x_0_model, schedule):
    """It looks like the noise as it is in x_t, still to be divided."""
    return _made(lambda x, x_0, a, *_: x - a.sqrt() * x_0)(x_0_model, schedule)


def no_second_axis(x_0_model, schedule):
    """it needs a second axis, [:, None]."""

    def eps_model(x_t, t):
        a = schedule.alpha_bar[t]
        return (x_t - a.sqrt() * x_0_model(x_t, t)) / (1 - a).sqrt()

    return eps_model


def the_network_itself(x_0_model, schedule):
    """It looks like what the network says, x_0, and not eps."""
    return x_0_model


def no_function(x_0_model, schedule):
    """Return a function"""
    return 0.5


def no_root_of_alpha_bar(x_0_model, schedule):
    """It looks like alpha_bar without its root before x_0."""
    return _made(lambda x, x_0, a, *_: (x - a * x_0) / (1 - a).sqrt())(
        x_0_model, schedule
    )


def x_0_from_eps(x_0_model, schedule):
    """It looks like x_0 from eps, and not eps from x_0."""
    return _made(lambda x, x_0, a, *_: (x - (1 - a).sqrt() * x_0) / a.sqrt())(
        x_0_model, schedule
    )


def asks_about_another_time(x_0_model, schedule):
    """Ask the network with x_t and t as they come."""
    return _made(lambda x, x_0, a, *_: (x - a.sqrt() * x_0) / (1 - a).sqrt())(
        lambda x_t, t: x_0_model(x_t, t - 1), schedule
    )


def asks_about_what_is_scaled(x_0_model, schedule):
    """Ask the network with x_t and t as they come."""
    return _made(lambda x, x_0, a, *_: (x - a.sqrt() * x_0) / (1 - a).sqrt())(
        lambda x_t, t: x_0_model(2 * x_t, t), schedule
    )


def two_axes_too_many(x_0_model, schedule):
    """it needs a second axis, [:, None]."""

    def eps_model(x_t, t):
        a = schedule.alpha_bar[t][:, None, None]
        return (x_t - a.sqrt() * x_0_model(x_t, t)) / (1 - a).sqrt()

    return eps_model
