"""`make bench`: what Netweather costs and how accurate it is, each figure beside a baseline measured in the same run.

Not here: whether it is right (tests do that). The figures and what limits them: docs/bench.md.
"""
