"""The functional operations: memory first and memory back, names and defaults ttnn's own.

memory, y = operation(memory, x, ...)
"""
