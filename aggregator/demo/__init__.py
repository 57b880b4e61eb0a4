"""The bundled demo: feeds written for it (feeds/), and a loopback server that serves them (server.py)."""
