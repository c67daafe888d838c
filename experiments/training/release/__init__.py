"""The configuration files of the release, translated."""
