"""Penstock beside its peers: the same files, whole cold processes, one run. See README.md."""
