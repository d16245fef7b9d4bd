"""The platform on this machine: its state directory, its PostgreSQL and its processes under one supervisor.

`place.open_place` gives settings that work (embedded PostgreSQL, or the one that BACKOFFICE_DATABASE_URL names);
`processes` are the units of `backoffice up` and of the demo; `liveness` is how a process tells that it is well."""
