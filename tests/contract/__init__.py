"""The contract with whoever calls us, and the proof that one tenant never sees another."""
