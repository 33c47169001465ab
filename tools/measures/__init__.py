"""Measures of pictures and maps that benchmarks share."""
