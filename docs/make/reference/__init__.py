"""Reference pages that are made from the code: commands from their parser, files from their definitions."""
