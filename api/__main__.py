"""`python -m api` is `maestro`."""

try:
    from api.command import main

    main()
except KeyboardInterrupt:  # ctrl-C while modules were still being loaded
    raise SystemExit(130) from None
