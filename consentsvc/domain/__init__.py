"""What a consent is and what follows from it: arithmetic, without I/O, clock or event loop."""
