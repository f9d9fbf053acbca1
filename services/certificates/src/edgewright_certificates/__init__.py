"""Keys and certificates of a host: made, installed, ordered, renewed."""
