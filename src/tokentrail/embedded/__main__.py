"""`python -m tokentrail.embedded` is `tokentrail serve`, for programs that start the server as a child process."""

from tokentrail.cli.serve import command

if __name__ == "__main__":
    command(prog_name="tokentrail serve")
