"""Says what is stuck and why: `look` reads facts of all tenants (routing columns, never a payload), `examine` draws
conclusions from them."""
