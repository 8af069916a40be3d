"""What the command `loramake` can do, a module a subcommand; each does its work by the library."""
