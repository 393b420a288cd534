"""Images of solids: camera, light, PNG files."""
