"""The courier's own HTTP/1.1 client: POSTs to addresses that somebody else named, over connections that are kept for a
while. It asks once and never again by itself, follows nothing, unpacks nothing, and reads no more than it must.

`target.py` says where, `dialing.py` opens (guard, TLS, CONNECT), `connection.py` asks on one connection, `pool.py`
keeps those that are idle; `deadline.py` says when it has taken too long, `faults.py` names what can go wrong.
"""
