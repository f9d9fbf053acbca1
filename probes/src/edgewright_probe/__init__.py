"""The probe: speaks a client's protocols at a vantage, says what it saw. Imports nothing of edgewright."""
