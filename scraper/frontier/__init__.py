"""What is still to be asked: the port and its stores."""
