"""The daemon: many streams tracked at once, for programs that consume their poses over HTTP."""
