"""`python -m onnxtile`: the same program as `onnxtile`."""

from onnxtile.cli.app import main

if __name__ == "__main__":
    main()
