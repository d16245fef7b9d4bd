"""The command line: what an operator does on the machine itself (processes, database, firms, keys), and the door to
every HTTP operation, made from the same declarations as the API.

Exit status everywhere: 0 done, 1 refused or not as it should be (the answer says why), 2 it could not even be tried
(wrong usage, settings missing, nobody answers)."""
