"""How commands print results: tables for people, JSON for programs."""
