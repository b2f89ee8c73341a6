from drawops.cli import main

main()
