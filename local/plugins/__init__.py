"""Stand-ins for provider plugins that cannot be downloaded; each is installed under the official one's name."""
