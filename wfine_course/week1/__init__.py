"""Week 1: what is a good ranking?"""
