"""Diffusion Lite: the code of the book, one module a chapter.

Import the modules by name, for example
``from diffusion_lite.forward import q_sample``. What a function does not
accept (another shape, a t out of range, a value that makes no sense) it
refuses with a ValueError that says what was given and what is allowed;
docstrings name what else is raised.

From the ground floor up; a module imports only from floors below its own:

0. ``arguments``         what a function accepts: batches and time steps
1. ``schedules``         how much noise each step adds
2. ``types``             what the parts hand to one another: protocols
   ``forward``           q(x_t | x_{t-1}) and q(x_t | x_0)
   ``parameterization``  eps, x_0, v and score: four names of one thing
   ``mixtures``          a Gaussian mixture, where everything is exact
3. ``posterior``         q(x_{t-1} | x_t, x_0)
   ``score``             the process with infinitely many steps: SDE, ODE
   ``data``              2-D distributions, the 8x8 digits, your own pictures
4. ``elbo``              what the likelihood bound is made of
   ``networks``          an MLP for points, a U-Net for pictures
   ``dirac_gan``         the adversarial game of two numbers
5. ``training``          the loop that learns, as a generator
   ``sampling``          the loop that samples, as a generator
   ``solvers``           DDIM, and solvers that need few passes
   ``distillation``      many passes made into one
6. ``guidance``          led to what is wanted, away from what is not
   ``checkpoint``        long runs: saved, resumed, on several processes
   ``gan``               generator and discriminator, and their game
   ``vae``               a small latent, and a bound on log p(x)
   ``flow``              an invertible map, and an exact log p(x)
   ``autoregressive``    one entry after another, and an exact p(x)
   ``metrics``           how good the samples are, and the floor
   ``plotting``          how it looks
7. ``explorables``       live figures, each a class beside one script
   ``exercises``         checks of the readers' answers
"""
