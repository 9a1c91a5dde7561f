"""The command line: parse, call the SDK, print. No logic, and no torch before a command runs."""
