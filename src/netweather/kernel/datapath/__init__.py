"""What makes one target's network bad: the seam, its real side and its fake, and the devices, programs and
processes behind it. Not here: what a condition means (conditions), and when anything is done (engine).
"""
