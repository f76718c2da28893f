"""Learned and statistical parts: pure functions over arrays, never a store."""
