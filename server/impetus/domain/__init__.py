"""Pure core: values and functions over them. No I/O, no threads, no await; never fails on user code."""
