"""The tiny model that ships with the package, and what it was made from."""
