"""`backoffice demo`: a platform of its own, two firms, one payday played by the reference front office, a worker killed
in the middle, and every claim checked.

`stage` starts and stops what is needed; `front_office` runs the other process and hears what it tells; `fault` kills;
`other_firm` looks from outside; `checks` holds the claims, each a small function over `facts`; `printed` shows."""
