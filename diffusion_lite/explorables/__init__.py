"""Live figures: each is a small Python class beside one script.

``explorable`` and the scripts in ``shared`` are what they have in common;
``forward posterior elbo denoiser training gan score`` are the figures, each
named after its chapter. A script computes all that it shows, from what Python
hands it, so it works in JupyterLab and in a page with no Python behind it. All
need the extra ``labs``, which has anywidget.
"""
