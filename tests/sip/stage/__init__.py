"""One Kamailio with its real configuration in a container; everybody it talks to is played by the test.

`Stage` has the role under test, `Party` plays a neighbour over real TLS, `Resolver` the name server,
`Journal` reads what the role logs. How to write a test: docs/testing.md.
"""
