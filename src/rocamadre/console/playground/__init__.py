"""What the playground thinks with: parameters, conversations, tokens, programs; nothing here makes elements."""
