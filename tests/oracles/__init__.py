"""The specification written a second time, in NumPy, to check the library against. Nothing here imports the library."""
