"""Long runs whose results are committed: a folder each.

``contest``   every family on one budget; chapters 6 and 7 read its table
``denoiser``  the network of chapter 4's live figure
``training``  quality and time of the training of chapter 5
"""
