"""A host's policy tables: validated, written beside the old, switched in one step, told to daemons."""
