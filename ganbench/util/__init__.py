"""What any room may use: files, downloads, messages, the machine, random streams."""
