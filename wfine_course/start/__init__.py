"""Before week 1: is everything there, and do you know enough to begin?"""
