"""Pictures of solids: camera, light, and the bytes of a file."""
