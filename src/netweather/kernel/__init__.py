"""The seam to the kernel: the only layer that opens sockets, enters namespaces, loads BPF or starts processes.

It knows nothing of conditions or rules: it is given plain data (netweather.kernel.datapath.spec) and makes it so.
"""
