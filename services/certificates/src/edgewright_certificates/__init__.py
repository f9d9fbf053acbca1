"""Keys and certificates of a host: made, installed, ordered, renewed. Standard library, openssl and lego."""
