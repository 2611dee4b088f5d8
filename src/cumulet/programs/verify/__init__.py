"""`cumulet verify`: judge a running cloud with the suites that OpenStack itself is judged with.

Tempest and its plugins, in locked versions, run in a virtual environment of their own against any cloud that
openstacksdk can log in to. Nothing about the cloud is assumed: `inside/prepare.py` asks it what it offers and writes
Tempest's configuration. Every test ends with one of five verdicts, and only `passed` and `skipped` are good news:

passed   it ran and passed
failed   it ran and failed, or what its class needs could not be set up (then every test of the class has failed)
missing  the cloud does not offer the service, extension, version or feature that it asks for
skipped  it was left out for a reason that is not the cloud's (a known bug in the test, two hosts needed, …)
notrun   the time limit came first

`suites.py` says which tests a name stands for, `verdicts.py` judges what came back, `report.py` writes it down,
`tempest.py` runs the programs, `command.py` is what a user types.
"""
