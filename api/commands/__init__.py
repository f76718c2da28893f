"""The commands of `maestro`, a file a group."""
