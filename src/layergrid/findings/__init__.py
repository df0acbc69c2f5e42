"""Findings and claims: what the numbers of a grid show, and whether what is said of them holds."""

from layergrid.findings.check import Verdict as Verdict
from layergrid.findings.check import check as check
from layergrid.findings.check import check_text as check_text
from layergrid.findings.claim import Claim as Claim
from layergrid.findings.engine import insights as insights
from layergrid.findings.finding import Finding as Finding
from layergrid.findings.finding import Insights as Insights

__all__ = ["Claim", "Finding", "Insights", "Verdict", "check", "check_text", "insights"]
