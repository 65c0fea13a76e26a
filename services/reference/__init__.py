"""The reference service: keeps notes in PostgreSQL, and is what every feature of the platform is proven on."""

__version__ = "0.1.0"
