"""Matrices of any size: windows of them, reduced to the pixels they fill."""
