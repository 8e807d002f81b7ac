"""Penstock projects in Dagster: definitions that are a reading of the catalogue."""
