"""Comparing whole ways of reading on the same pages: `drawops bench read`."""
