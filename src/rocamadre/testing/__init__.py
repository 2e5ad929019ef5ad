"""What tests need that is worth sharing: requests made from the service models, whole and broken."""
