"""`python -m camerapipe` is the command line."""

from camerapipe.cli import main

if __name__ == "__main__":
    main()
