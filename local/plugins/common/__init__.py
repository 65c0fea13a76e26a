"""What every stand-in provider needs: the engine's values and messages, the process and the service around them."""
