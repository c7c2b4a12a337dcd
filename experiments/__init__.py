"""Long runs whose results are committed: a folder each.

``contest``   every family on one budget; chapters 6 and 7 read its table
``training``  quality and time of the training of chapter 5
"""
