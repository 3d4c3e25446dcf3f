"""The rules of the house as pure values: no clock, no input or output, no framework."""
