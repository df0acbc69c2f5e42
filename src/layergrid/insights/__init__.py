"""Findings: what the numbers of a grid show, each with its cells, test and effect size."""

from layergrid.insights.engine import insights as insights
from layergrid.insights.finding import Finding as Finding
from layergrid.insights.finding import Insights as Insights

__all__ = ["Finding", "Insights", "insights"]
