"""Guests that fit the ports: where the log lives."""
