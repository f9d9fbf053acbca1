"""Web services of Front End and Director: Autodiscover, the signed-in user's page, health."""
