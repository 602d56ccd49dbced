"""Protobuf in, protobuf out: translation, errors, limits, and one thin servicer per service."""
