"""Cursors: which rows are new, and what to remember of them."""
