"""A condition → what a line must look like: the pump's parameters, distribution tables, traces, statistics.

Pure: bytes and numbers, no files, no sockets. Not here: making devices and talking to the pump (kernel/).
"""
