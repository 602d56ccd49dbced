"""Records what people allow, answers whether something may be done, and proves it."""
