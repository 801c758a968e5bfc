"""The models on this machine: which there are, which to use, and how to open one."""
