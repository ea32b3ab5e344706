"""`python -m cvpipe.cli` is the same as `cvpipe`."""

from cvpipe.cli import main

if __name__ == "__main__":
    main()
