"""What compute once did itself and now passes on: to image, network and block storage, in the caller's name.

Clients of before 2.36 still ask for these. Each file gives one neighbour's nouns in the shape they had here; the
neighbour checks, counts and refuses as if it had been asked itself.
"""
