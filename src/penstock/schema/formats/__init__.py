"""Metadata formats beyond our own: how each is read and written."""
