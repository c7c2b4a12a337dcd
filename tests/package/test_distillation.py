"""What a student learns, against exact flows that are known."""

import math
from functools import partial
from itertools import pairwise

import pytest
import torch

from diffusion_lite.arguments import at, normal
from diffusion_lite.data import two_modes
from diffusion_lite.distillation import (
    HALVINGS,
    consistency_loss,
    consistency_sample,
    progressive_loss,
    progressive_target,
    shortcut_loss,
    shortcut_sample,
    shortcut_target,
)
from diffusion_lite.forward import q_sample
from diffusion_lite.parameterization import (
    eps_from_x_0,
    x_0_from_eps,
)
from diffusion_lite.schedules import cosine_schedule
from diffusion_lite.solvers import ddim_sample, log_snr_times, uniform_times
from diffusion_lite.training import last
from mutants import mutant

SCHEDULE = cosine_schedule(100)
MEAN, WIDTH = 0.4, 0.7  # of the Gaussian whose flow is known
N = 2**HALVINGS


def draw(generator, *shape):
    return normal(shape, generator, torch.float64)


def sigma(t, schedule, x):
    """Return EDM's noise level at t, shaped to multiply x."""
    return at(schedule.snr**-0.5, t, x)


def teacher(x_t, t, schedule=SCHEDULE):
    return two_modes().optimal_eps(x_t, t, schedule)


def euler(x_t, t, s, schedule=SCHEDULE):
    """Return the teacher's step in y = x / a over sigma."""
    a_t, a_s = (at(schedule.alpha_bar.sqrt(), u, x_t) for u in (t, s))
    change = sigma(s, schedule, x_t) - sigma(t, schedule, x_t)
    return a_s * (x_t / a_t + change * teacher(x_t, t, schedule))


# ---- one step for two -------------------------------------------------------


def last_x_0(teacher, x_t, t, s, r, schedule):
    x_s = euler(x_t, t, s, schedule)
    return x_0_from_eps(x_s, s, teacher(x_s, s), schedule)


def upside_down(teacher, x_t, t, s, r, schedule):
    x_r = euler(euler(x_t, t, s, schedule), s, r, schedule)
    (a_t, s_t), (a_r, s_r) = (
        schedule.coefficients(u, like=x_t) for u in (t, r)
    )
    ratio = s_t / s_r.clamp(min=1e-9)
    return (x_r - ratio * x_t) / (a_r - ratio * a_t)


@mutant("the x_0 of the second step", progressive_target, last_x_0)
@mutant("the ratio upside down", progressive_target, upside_down)
@pytest.mark.equation("eq-progressive", oracle="two steps over sigma")
def test_one_step_to_the_target_lands_where_two_steps_do(generator):
    t = torch.tensor([100, 100, 80, 51, 3, 2])
    s = torch.tensor([99, 50, 79, 20, 2, 1])
    r = torch.tensor([98, 0, 3, 19, 1, 0])
    x_t = draw(generator, 6, 1)
    target = progressive_target(teacher, x_t, t, s, r, SCHEDULE)
    eps = eps_from_x_0(x_t, t, target, SCHEDULE)
    x_r = q_sample(target, r, eps, SCHEDULE)
    want = euler(euler(x_t, t, s), s, r)
    torch.testing.assert_close(x_r, want, rtol=1e-8, atol=1e-8)
    alone = progressive_target(teacher, x_t[2:3], 80, 79, 3, SCHEDULE)
    torch.testing.assert_close(alone, target[2:3])


def perfect(times, eps_model=teacher):
    """Return the student that does two of the steps at once."""

    def student(x_t, t):
        t = int(t[0])
        i = times.index(t)
        s, r = times[i + 1], times[i + 2]
        x_0 = progressive_target(eps_model, x_t, t, s, r, SCHEDULE)
        return eps_from_x_0(x_t, t, x_0, SCHEDULE)

    return student


@pytest.mark.equation("eq-progressive", oracle="the teacher's own samples")
@pytest.mark.parametrize("grid", [uniform_times, log_snr_times])
def test_a_perfect_student_of_students_samples_in_one_pass(grid, generator):
    times = grid(SCHEDULE, 8)
    x_T = draw(generator, 20, 1)
    want = last(ddim_sample(teacher, x_T, SCHEDULE, times))
    student = teacher
    while len(times) > 2:
        student, times = perfect(times, student), times[::2]
        x_0 = last(ddim_sample(student, x_T, SCHEDULE, times))
        torch.testing.assert_close(x_0, want, rtol=1e-6, atol=1e-6)
    assert times == [100, 0]


def without_weight(student, x_0, *, teacher, times, schedule, generator):
    """Return progressive_loss without its division by s_t^2."""
    steps = torch.tensor(times)
    i = 2 * torch.randint(len(times) // 2, (len(x_0),), generator=generator)
    t, s, r = steps[i], steps[i + 1], steps[i + 2]
    x_t = q_sample(x_0, t, torch.zeros_like(x_0), schedule)
    target = progressive_target(teacher, x_t, t, s, r, schedule)
    x_0_hat = x_0_from_eps(x_t, t, student(x_t, t), schedule)
    return (x_0_hat - target).square().mean()


@mutant(
    "the error of x_0 without its weight", progressive_loss, without_weight
)
@pytest.mark.equation("eq-progressive-loss", oracle="an error of v by hand")
def test_a_student_whose_v_is_wrong_by_a_third_pays_a_ninth(generator):
    times, x_0 = uniform_times(SCHEDULE, 10), draw(generator, 50, 1)

    def student(x_t, t, off=0.0):
        rows = [
            perfect(times)(x_t[i : i + 1], t[i : i + 1]) for i in range(50)
        ]
        a_t = at(SCHEDULE.alpha_bar.sqrt(), t, x_t)
        return torch.cat(rows) + off * a_t

    for off in (0.0, 1 / 3):
        loss = progressive_loss(
            partial(student, off=off),
            x_0,
            teacher=teacher,
            times=times,
            schedule=SCHEDULE,
            generator=generator,
        )
        assert float(loss) == pytest.approx(off**2, abs=1e-9)


# ---- one end for a whole path -----------------------------------------------


def moved(x_t, t, s, schedule=SCHEDULE):
    """Return x_s on the ODE's path of x_t, where x_0 is N(MEAN, WIDTH^2).

    In closed form: x stays as many standard deviations from its mean.
    """
    (a_t, s_t), (a_s, s_s) = (
        schedule.coefficients(u, like=x_t) for u in (t, s)
    )
    wide_t = (a_t**2 * WIDTH**2 + s_t**2).sqrt()
    wide_s = (a_s**2 * WIDTH**2 + s_s**2).sqrt()
    return a_s * MEAN + (x_t - a_t * MEAN) * wide_s / wide_t


def path_end(x_t, t, off=0.0):
    """Return the eps_hat whose x_0 is the end of the path; its v is off."""
    x_0 = moved(x_t, t, torch.zeros_like(t))
    eps_hat = eps_from_x_0(x_t, t.clamp(min=1), x_0, SCHEDULE)
    return eps_hat + off * at(SCHEDULE.alpha_bar.sqrt(), t, x_t)


def chord(times):
    """Return the teacher whose step of DDIM ends on the path."""

    def eps_model(x_t, t):
        s = torch.tensor([times[times.index(i) + 1] for i in t.tolist()])
        a_t, a_s = (at(SCHEDULE.alpha_bar.sqrt(), u, x_t) for u in (t, s))
        change = sigma(s, SCHEDULE, x_t) - sigma(t, SCHEDULE, x_t)
        return (moved(x_t, t, s) / a_s - x_t / a_t) / change

    return eps_model


def consistency(student, x_0, generator, **options):
    return consistency_loss(
        student, x_0, schedule=SCHEDULE, generator=generator, **options
    )


def without_teacher(right, student, x_0, *, teacher=None, **rest):
    return right(student, x_0, **rest)


def own_loss(
    student,
    x_0,
    *,
    times,
    schedule,
    generator,
    teacher=None,
    fixed=True,
    noises=1,
    power=2,
):
    """Return consistency_loss without a teacher, right by default."""
    i = torch.randint(len(times) - 1, (len(x_0),), generator=generator)
    t, s = torch.tensor(times)[i], torch.tensor(times)[i + 1]
    eps = normal((noises, *x_0.shape), generator).to(x_0)
    x_t = q_sample(x_0, t, eps[0], schedule)
    x_s = q_sample(x_0, s, eps[-1], schedule)
    with torch.set_grad_enabled(not fixed):
        target = x_0_from_eps(x_s, s, student(x_s, s), schedule)
    x_0_hat = x_0_from_eps(x_t, t, student(x_t, t), schedule)
    _, s_t = schedule.coefficients(t, like=x_t)
    return ((x_0_hat - target) / s_t ** (power / 2)).square().mean()


@mutant("distilled without its teacher", consistency_loss, without_teacher)
@pytest.mark.equation("eq-consistency", oracle="the flow of a Gaussian")
def test_the_end_of_the_path_is_the_same_all_along(generator):
    x_0 = MEAN + WIDTH * draw(generator, 500, 1)
    times = uniform_times(SCHEDULE, 20)
    options = {"teacher": chord(times), "times": times}
    loss = consistency(path_end, x_0, generator, **options)
    assert float(loss) < 1e-12

    def wrong(x_t, t):  # at t alone: at s it is right
        return path_end(x_t, t, off=torch.is_grad_enabled() / 3)

    loss = consistency(wrong, x_0, generator, **options)
    assert float(loss) == pytest.approx(1 / 9, abs=1e-9)


def test_a_teachers_steps_and_the_path_agree_in_the_limit(generator):
    x_0 = MEAN + WIDTH * draw(generator, 2000, 1)

    def gaussian(x_t, t):
        a, s = SCHEDULE.coefficients(t, like=x_t)
        return s * (x_t - a * MEAN) / (a**2 * WIDTH**2 + s**2)

    losses = [
        float(
            consistency(
                path_end,
                x_0,
                generator.manual_seed(0),
                teacher=gaussian,
                times=uniform_times(SCHEDULE, n),
            )
        )
        for n in (12, 25, 50, 100)
    ]
    for more, fewer in pairwise(losses):
        assert more > 4 * fewer


@mutant("new noise at s", consistency_loss, partial(own_loss, noises=2))
@mutant("both ends learn", consistency_loss, partial(own_loss, fixed=False))
@mutant("no weight", consistency_loss, partial(own_loss, power=0))
@pytest.mark.equation("eq-consistency", oracle="a derivative by hand")
def test_trained_it_compares_two_points_of_one_x_0_and_eps(generator):
    x_0 = 0.5 + draw(generator, 300, 2)
    times, asked = uniform_times(SCHEDULE, 10), []
    scale = torch.tensor(0.3, dtype=torch.float64, requires_grad=True)

    def student(x_t, t):  # its x_0 is scale x_t, but at step 0 x_t
        asked.append((x_t, t))
        x_0 = torch.where(t[:, None] > 0, scale, 1) * x_t
        return eps_from_x_0(x_t, t.clamp(min=1), x_0, SCHEDULE)

    loss = consistency(student, x_0, generator, times=times)
    loss.backward()
    (x_t, t), (x_s, s) = sorted(asked, key=lambda x: -int(x[1].sum()))
    where = [times.index(i) for i in t.tolist()]
    assert s.tolist() == [times[i + 1] for i in where]
    assert set(where) == set(range(10))
    eps = eps_from_x_0(x_t, t, x_0, SCHEDULE)
    torch.testing.assert_close(q_sample(x_0, s, eps, SCHEDULE), x_s)
    with torch.no_grad():
        error = scale * x_t - torch.where(s[:, None] > 0, scale, 1) * x_s
        weight = 1 / (1 - at(SCHEDULE.alpha_bar, t, x_t))
        want = (weight * error.square()).mean()
        slope = (2 * weight * error * x_t).mean()
    assert loss.item() == pytest.approx(float(want))
    assert float(scale.grad) == pytest.approx(float(slope))


def added_to_noise(right, student, x_T, schedule, times, *, generator):
    """Return a sampler that keeps the noise of x_T."""
    return ddim_sample(student, x_T, schedule, times)


@mutant("the old noise", consistency_sample, added_to_noise)
def test_the_exact_end_samples_the_data_in_any_number_of_passes(generator):
    x_T = draw(generator, 20_000, 1)
    for times in ([100, 0], [100, 60, 0], [100, 75, 50, 25, 0]):
        run = consistency_sample(
            path_end, x_T, SCHEDULE, times, generator=generator
        )
        states = list(run)
        assert len(states) == len(times)
        for x, t in zip(states[1:], times[1:], strict=True):
            a, s = (float(y) for y in SCHEDULE.coefficients(t, like=x))
            wide = math.hypot(a * WIDTH, s)
            n = len(x) ** 0.5
            assert float(x.mean()) == pytest.approx(a * MEAN, abs=4 * wide / n)
            assert float(x.std()) == pytest.approx(wide, rel=3 / n)
    assert torch.corrcoef(torch.cat([x_T, states[-1]], 1).T)[0, 1] < 0.5


# ---- a network that is told how far to go -----------------------------------


def slide(x, t, u):
    """Return where the straight path's flow takes x from time t to u."""
    wide_t, wide_u = (((1 - v) ** 2 * WIDTH**2 + v**2) ** 0.5 for v in (t, u))
    return (1 - u) * MEAN + (x - (1 - t) * MEAN) * wide_u / wide_t


def exact_shortcut(x, step, halvings):
    """Return the mean velocity over a step of a Gaussian's exact flow."""
    t, d = (step / N)[:, None].to(x), 0.5 ** halvings[:, None].to(x)
    return (x - slide(x, t, t - d)) / d


def halves(net, x, step, h, *, place=1, time=1, label=1, share=0.5):
    """Return shortcut_target, right by default."""
    half = N >> (h + 1)
    v = net(x, step, h + label)
    x_next = x - place * (half / N)[:, None].to(x) * v
    return share * (v + net(x_next, step - time * half, h + label))


@mutant("both at one place", shortcut_target, partial(halves, place=0))
@mutant("both at one time", shortcut_target, partial(halves, time=0))
@mutant("the label of the whole", shortcut_target, partial(halves, label=0))
@mutant("the sum of both", shortcut_target, partial(halves, share=1))
@mutant("towards the noise", shortcut_target, partial(halves, place=-1))
@pytest.mark.equation("eq-shortcut", oracle="the flow of a Gaussian")
def test_a_step_is_the_mean_of_two_halves(generator):
    h = torch.arange(7).repeat(20)
    step = (N >> h) * (1 + torch.arange(140) % 2**h)
    x_t = draw(generator, 140, 3)
    want = exact_shortcut(x_t, step, h)
    target = shortcut_target(exact_shortcut, x_t, step, h)
    torch.testing.assert_close(target, want, rtol=1e-9, atol=1e-9)


def test_shortcuts_are_learned_from_velocities_and_from_themselves(generator):
    """All data are one point, so all paths are straight lines to it."""
    asked = []

    def straight(x, step, h, y, off=0.0):
        assert y.shape == step.shape == h.shape == x.shape[:1]
        if torch.is_grad_enabled():
            asked.append((step, h))
            torch.testing.assert_close(x[:, 0].mul(0).long(), y - y)
        return (x - 3) / (step / N)[:, None] + off * torch.is_grad_enabled()

    x_0, y = torch.full((4000, 2), 3.0).double(), torch.arange(4000)
    for off in (0.0, 1 / 3):
        loss = shortcut_loss(
            partial(straight, off=off), x_0, y, generator=generator
        )
        assert float(loss) == pytest.approx(off**2, abs=1e-9)
    step, h = asked[0]
    counts = h.bincount()
    assert int(counts[HALVINGS]) == 3000
    assert int(counts[:HALVINGS].min()) > 100
    for k in range(HALVINGS + 1):
        places = set((step[h == k] * 2**k / N).tolist())
        allowed = set(range(1, 2**k + 1))
        assert places == allowed if k < 4 else places <= allowed


def test_exact_shortcuts_land_at_the_flows_end_in_any_number(generator):
    eps = draw(generator, 100, 2)
    for h in range(HALVINGS + 1):
        states = list(shortcut_sample(exact_shortcut, eps, h))
        assert len(states) == 2**h + 1
        want = MEAN + WIDTH * eps
        torch.testing.assert_close(states[-1], want, rtol=1e-9, atol=1e-9)


# ---- what is refused --------------------------------------------------------


@pytest.mark.parametrize(
    "times", [[100, 50], [50, 0], [100, 50, 50, 0], [0, 100], [], [100.5, 0]]
)
def test_times_fall_from_T_to_0(times, generator):
    x = torch.zeros(3, 1)
    options = {"times": times, "schedule": SCHEDULE, "generator": generator}
    with pytest.raises(ValueError, match=r"t must be|times must"):
        consistency_loss(path_end, x, **options)
    with pytest.raises(ValueError, match=r"t must be|times must"):
        progressive_loss(path_end, x, teacher=teacher, **options)
    with pytest.raises(ValueError, match=r"t must be|times must"):
        consistency_sample(path_end, x, SCHEDULE, times, generator=generator)


def test_other_bad_input_is_refused(generator):
    x = torch.zeros(3, 1)
    with pytest.raises(ValueError, match="even number of steps, got 3"):
        progressive_loss(
            path_end,
            x,
            teacher=teacher,
            times=[100, 60, 30, 0],
            schedule=SCHEDULE,
            generator=generator,
        )
    for t, s, r in ((5, 5, 0), (5, 3, 4), (3, 5, 0)):
        with pytest.raises(ValueError, match="t > s > r must hold"):
            progressive_target(teacher, x, t, s, r, SCHEDULE)
    for halvings in (-1, 8, 0.5):
        with pytest.raises(ValueError, match="halvings must be"):
            shortcut_sample(exact_shortcut, x, halvings)
    for x in (torch.zeros(0, 1), torch.tensor([[math.nan]])):
        with pytest.raises(ValueError, match="eps must be"):
            shortcut_sample(exact_shortcut, x, 0)
        with pytest.raises(ValueError, match="x_T must be"):
            consistency_sample(
                path_end, x, SCHEDULE, [100, 0], generator=generator
            )


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
def test_other_precisions_and_one_row_are_kept(dtype, generator):
    x = torch.randn(1, 1, 2, 2, generator=generator).to(dtype)

    def model(x_t, t):
        return (0.5 * x_t).to(dtype)

    times = uniform_times(SCHEDULE, 4)
    options = {"times": times, "schedule": SCHEDULE, "generator": generator}
    for loss in (
        progressive_loss(model, x, teacher=model, **options),
        consistency_loss(model, x, teacher=model, **options),
        consistency_loss(model, x, **options),
        shortcut_loss(lambda x, *_: x, x, generator=generator),
    ):
        assert (loss.dtype, loss.ndim) == (dtype, 0)
    run = consistency_sample(model, x, SCHEDULE, [100, 0], generator=generator)
    assert last(run).dtype == dtype
