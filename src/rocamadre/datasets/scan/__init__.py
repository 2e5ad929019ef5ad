"""Looking for harm in training data: triggers, wrong labels, hidden text, orders to a model, secrets, personal data."""
