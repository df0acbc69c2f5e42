"""Pictures and tables made without a browser."""
