"""BPF as such: objects, the kernel's types, and where programs are attached. Not here: what our programs hold."""
