"""What services may share; each module stands alone."""
