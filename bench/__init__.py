"""Measurements: ours, a floor taken in the same run on the same servers, and the ratio."""
