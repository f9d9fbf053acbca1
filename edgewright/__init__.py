"""Edgewright: external access described once, built, configured and proven from outside."""

__version__ = "0.1.0"
