"""Sandbox: made-up companies for test tenants, drawn from a seed, and the way back to an empty tenant.

Nouns: test_fixture. Promises: the same name and seed, asked of an empty test tenant, give the same company and the same
events, byte for byte but for what the operator made (people and keys); from then on the same requests, one after
another, give the same events too. A reset tenant is as empty as a new one, and can be
played again. Nothing here can be asked of a live tenant. Emits: tenant.reset.
"""
