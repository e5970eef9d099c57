"""The figures of the chapter. They draw the sides they are given, and compute nothing."""
