"""What the pages of guardrails think with, without a browser: drafts, findings, programs, questions to the platform."""
