"""What the services of a team share."""
