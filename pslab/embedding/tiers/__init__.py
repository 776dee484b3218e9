"""Tiers: a table of rows larger than memory, in a file or elsewhere, with the rows in use in fast memory."""
