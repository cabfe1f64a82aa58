"""The loop: a fact or a deadline comes, the core plans, actions are performed and become facts."""
