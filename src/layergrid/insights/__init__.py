"""Findings and claims: what the numbers of a grid show, and whether what is said of them holds."""

from layergrid.insights.check import Verdict as Verdict
from layergrid.insights.check import check as check
from layergrid.insights.check import check_text as check_text
from layergrid.insights.claim import Claim as Claim
from layergrid.insights.engine import insights as insights
from layergrid.insights.finding import Finding as Finding
from layergrid.insights.finding import Insights as Insights

__all__ = ["Claim", "Finding", "Insights", "Verdict", "check", "check_text", "insights"]
