"""Packets sent and seen to measure with. Not here: what they mean (measure)."""
