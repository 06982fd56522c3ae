"""Small things without a home elsewhere."""
