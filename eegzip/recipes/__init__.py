"""How the bundled checkpoints were made; nothing else imports this."""
