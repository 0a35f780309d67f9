"""Small models and painted people in place of the published files and photographs."""
