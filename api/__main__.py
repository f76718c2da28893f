"""`python -m api` is `maestro`."""

from api.command import main

main()
