"""The subcommands of `loramake`, one module each; the library does the work."""
