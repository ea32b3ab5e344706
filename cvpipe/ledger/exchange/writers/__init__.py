"""How each format is written: a table into a folder of its own, from which it is moved."""
