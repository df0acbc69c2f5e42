"""Journeys through a real JupyterLab 4, a real Notebook 7 and an exported page, in Chromium."""
