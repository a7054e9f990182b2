"""Promises that every plug-in keeps, and the lists that a new one joins."""
