"""`python -m keyseg` is the `keyseg` command; `torchrun -m -- keyseg train ...` trains on several processes."""

from keyseg.cli.main import main

main()
