"""`python -m star_landmarks` is the program `star`."""

from ._program import main

main()
