"""A host's policy tables: validated, written beside the old ones, switched in one step, told to the daemons."""
