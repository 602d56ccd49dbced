"""`python -m consentsvc`: the command line."""

from consentsvc.cli import main

if __name__ == "__main__":
    main(prog_name="consentsvc")
