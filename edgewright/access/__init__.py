"""What must happen: decisions, reasons and explanations, kept apart from the code that enforces them."""
