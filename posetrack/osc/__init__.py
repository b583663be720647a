"""Open Sound Control: packets, and an avatar's bones by the VMC protocol."""
