"""What the commands print, one module a wing."""
