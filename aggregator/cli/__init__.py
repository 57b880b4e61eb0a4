"""The command line: parse options, call App, print. No logic of its own."""
