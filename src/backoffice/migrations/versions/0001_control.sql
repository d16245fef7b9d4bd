-- Schemas, the tenant context, and `ctl`: firms, tenants and credentials. Run as bo_owner (bo_migrate after SET ROLE).
-- app = tenant tables; ref = law and calendars, no tenant data; ctl = firms, tenants, credentials; seal = keys no
-- login role can read. Functions that bo_app may call in ctl belong to bo_auth and see only what they need.

CREATE SCHEMA app;
CREATE SCHEMA ref;
CREATE SCHEMA ctl;
CREATE SCHEMA seal;
GRANT USAGE ON SCHEMA app TO bo_app, bo_export, bo_dispatch, bo_sealer;
GRANT USAGE ON SCHEMA ref TO bo_app, bo_export;
GRANT USAGE ON SCHEMA ctl TO bo_app, bo_dispatch, bo_auth;

-- Raises 42704 when no tenant was ever set and 22P02 after a commit: never silent zero rows.
CREATE FUNCTION app.current_tenant() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE
  AS $$ SELECT current_setting('app.tenant_id')::uuid $$;
REVOKE ALL ON FUNCTION app.current_tenant() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.current_tenant() TO bo_app, bo_export, bo_auth;

CREATE TABLE ctl.firm (
  id uuid PRIMARY KEY DEFAULT uuidv7(),
  slug text NOT NULL UNIQUE CHECK (slug ~ '^[a-z][a-z0-9-]{1,62}$'),
  legal_name text NOT NULL,
  display_name text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE ctl.tenant (
  id uuid PRIMARY KEY DEFAULT uuidv7(),
  firm_id uuid NOT NULL REFERENCES ctl.firm (id),
  name text NOT NULL CHECK (name ~ '^[a-z][a-z0-9-]{0,30}$'),
  mode text NOT NULL CHECK (mode IN ('live', 'test')),
  plan text NOT NULL,
  requests_per_minute int NOT NULL CHECK (requests_per_minute > 0),
  writes_per_minute int NOT NULL CHECK (writes_per_minute > 0),
  weight int NOT NULL DEFAULT 1 CHECK (weight BETWEEN 1 AND 1000),
  max_in_flight int NOT NULL DEFAULT 16 CHECK (max_in_flight > 0),
  facts jsonb NOT NULL DEFAULT '{}',        -- time zone, identity rules, whether its clock can be moved …
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  UNIQUE (firm_id, name)
);
CREATE UNIQUE INDEX tenant_one_live ON ctl.tenant (firm_id) WHERE mode = 'live';

CREATE TABLE ctl.credential (
  hmac bytea PRIMARY KEY,
  tenant_id uuid NOT NULL REFERENCES ctl.tenant (id),
  key_id uuid NOT NULL,
  person_id uuid NOT NULL,
  kind text NOT NULL CHECK (kind IN ('sk', 'rk', 'pk', 'st')),
  scopes text[] NOT NULL,
  api_version text NOT NULL,
  allowed_ips text[] NOT NULL DEFAULT '{}',   -- networks in CIDR notation; none: from anywhere
  not_after timestamptz,
  revoked_at timestamptz,
  last_used_at timestamptz,
  UNIQUE (tenant_id, key_id)                -- of key_id alone it would tell one tenant of another's keys
);

CREATE TABLE ctl.employer_ein (             -- an EIN stands in one live tenant only; no unique of app crosses tenants
  ein text PRIMARY KEY CHECK (ein ~ '^[0-9]{2}-[0-9]{7}$'),
  tenant_id uuid NOT NULL REFERENCES ctl.tenant (id)
);

GRANT SELECT ON ctl.firm, ctl.tenant TO bo_auth;
GRANT SELECT, INSERT ON ctl.credential, ctl.employer_ein TO bo_auth;
GRANT UPDATE (revoked_at, not_after, last_used_at) ON ctl.credential TO bo_auth;
GRANT CREATE ON SCHEMA ctl TO bo_auth;      -- for the ALTER … OWNER below only

-- At most one row, for an exact match of a key that is neither revoked nor expired.
CREATE FUNCTION ctl.open_key(p_hmac bytea)
  RETURNS TABLE (tenant_id uuid, key_id uuid, person_id uuid, kind text, scopes text[], api_version text, mode text,
                 firm text, plan text, requests_per_minute int, writes_per_minute int, allowed_ips text[])
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, ctl, pg_temp AS $$
  SELECT c.tenant_id, c.key_id, c.person_id, c.kind, c.scopes, c.api_version, t.mode, f.slug, t.plan,
         t.requests_per_minute, t.writes_per_minute, c.allowed_ips
    FROM ctl.credential c JOIN ctl.tenant t ON t.id = c.tenant_id JOIN ctl.firm f ON f.id = t.firm_id
   WHERE c.hmac = p_hmac AND c.revoked_at IS NULL AND (c.not_after IS NULL OR c.not_after > clock_timestamp())
$$;

-- A key of the tenant of this transaction, and of no other.
CREATE FUNCTION ctl.add_key(p_hmac bytea, p_key uuid, p_person uuid, p_kind text, p_scopes text[], p_api_version text,
                            p_not_after timestamptz, p_allowed_ips text[] DEFAULT '{}')
  RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, ctl, pg_temp AS $$
  INSERT INTO ctl.credential (hmac, tenant_id, key_id, person_id, kind, scopes, api_version, not_after, allowed_ips)
  VALUES (p_hmac, app.current_tenant(), p_key, p_person, p_kind, p_scopes, p_api_version, p_not_after, p_allowed_ips)
$$;

CREATE FUNCTION ctl.revoke_key(p_key uuid, p_at timestamptz)
  RETURNS boolean LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, ctl, pg_temp AS $$
  WITH done AS (
    UPDATE ctl.credential SET revoked_at = CASE WHEN p_at <= clock_timestamp() THEN p_at END,
                              not_after = least(not_after, p_at)
     WHERE key_id = p_key AND tenant_id = app.current_tenant() AND revoked_at IS NULL RETURNING 1)
  SELECT EXISTS (SELECT 1 FROM done)
$$;

-- By HMAC, which only who was shown the key can know: a statement that names another tenant's key changes nothing.
CREATE FUNCTION ctl.key_used(p_hmacs bytea[])
  RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, ctl, pg_temp AS $$
  UPDATE ctl.credential SET last_used_at = clock_timestamp() WHERE hmac = ANY (p_hmacs)
$$;

CREATE FUNCTION ctl.key_usage()
  RETURNS TABLE (key_id uuid, last_used_at timestamptz)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, ctl, pg_temp AS $$
  SELECT c.key_id, c.last_used_at FROM ctl.credential c WHERE c.tenant_id = app.current_tenant()
$$;

CREATE FUNCTION ctl.tenant_settings()
  RETURNS TABLE (tenant_id uuid, firm text, firm_name text, name text, mode text, plan text, max_in_flight int,
                 facts jsonb)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, ctl, pg_temp AS $$
  SELECT t.id, f.slug, f.display_name, t.name, t.mode, t.plan, t.max_in_flight, t.facts
    FROM ctl.tenant t JOIN ctl.firm f ON f.id = t.firm_id WHERE t.id = app.current_tenant()
$$;

-- True when the tenant of this transaction may use the EIN: a test tenant always, a live one when no other live
-- tenant has it.
CREATE FUNCTION ctl.claim_ein(p_ein text)
  RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, ctl, pg_temp AS $$
BEGIN
  IF (SELECT t.mode FROM ctl.tenant t WHERE t.id = app.current_tenant()) <> 'live' THEN
    RETURN true;
  END IF;
  INSERT INTO ctl.employer_ein (ein, tenant_id) VALUES (p_ein, app.current_tenant()) ON CONFLICT (ein) DO NOTHING;
  RETURN (SELECT e.tenant_id = app.current_tenant() FROM ctl.employer_ein e WHERE e.ein = p_ein);
END $$;

-- For the worker, which learns a tenant from a message, and for download links: mode, plan and limits by id; nothing else.
CREATE FUNCTION ctl.tenant_by_id(p_tenant uuid)
  RETURNS TABLE (tenant_id uuid, mode text, firm text, plan text, requests_per_minute int, writes_per_minute int)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, ctl, pg_temp AS $$
  SELECT t.id, t.mode, f.slug, t.plan, t.requests_per_minute, t.writes_per_minute
    FROM ctl.tenant t JOIN ctl.firm f ON f.id = t.firm_id WHERE t.id = p_tenant
$$;

CREATE FUNCTION ctl.dispatch_limits()
  RETURNS TABLE (tenant_id uuid, plan text, weight int, max_in_flight int)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, ctl, pg_temp AS $$
  SELECT t.id, t.plan, t.weight, t.max_in_flight FROM ctl.tenant t
$$;

-- The tenant of this transaction where it is a test tenant, nothing where it is live. Every policy of bo_reset asks it.
CREATE FUNCTION ctl.test_tenant()
  RETURNS uuid LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, ctl, pg_temp AS $$
  SELECT t.id FROM ctl.tenant t WHERE t.id = app.current_tenant() AND t.mode = 'test'
$$;

GRANT EXECUTE ON FUNCTION ctl.open_key, ctl.add_key, ctl.revoke_key, ctl.key_used, ctl.key_usage, ctl.tenant_settings,
  ctl.claim_ein, ctl.tenant_by_id, ctl.test_tenant TO bo_app;
GRANT EXECUTE ON FUNCTION ctl.dispatch_limits, ctl.tenant_by_id TO bo_dispatch;
GRANT EXECUTE ON FUNCTION ctl.test_tenant TO bo_reset;

-- Ownership goes over last: bo_owner can no longer grant on what bo_auth owns.
DO $$
DECLARE f regprocedure;
BEGIN
  FOR f IN SELECT p.oid::regprocedure FROM pg_proc p WHERE p.pronamespace = 'ctl'::regnamespace LOOP
    EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', f);
    EXECUTE format('ALTER FUNCTION %s OWNER TO bo_auth', f);
  END LOOP;
END $$;
REVOKE CREATE ON SCHEMA ctl FROM bo_auth;
GRANT USAGE ON SCHEMA app TO bo_auth;

-- Empties an append-only table of the transaction's own test tenant; how many rows went. bo_reset, as whom it runs, may
-- delete from the tables alone that a reset empties, and its policy there shows it no row of a live tenant.
CREATE FUNCTION ctl.wipe(p_table text)
  RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE v_tenant uuid := ctl.test_tenant(); v_gone bigint;
BEGIN
  IF v_tenant IS NULL THEN
    RAISE EXCEPTION 'a live tenant is not reset' USING ERRCODE = 'insufficient_privilege';
  END IF;
  EXECUTE format('DELETE FROM app.%I WHERE tenant_id = $1', p_table) USING v_tenant;
  GET DIAGNOSTICS v_gone = ROW_COUNT;
  RETURN v_gone;
END $$;
REVOKE ALL ON FUNCTION ctl.wipe FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ctl.wipe TO bo_app;
GRANT USAGE ON SCHEMA app, ctl TO bo_reset;
GRANT CREATE ON SCHEMA ctl TO bo_reset;     -- for the ALTER … OWNER below only
ALTER FUNCTION ctl.wipe OWNER TO bo_reset;
REVOKE CREATE ON SCHEMA ctl FROM bo_reset;

-- Firms and tenants from a firm's folder; run as bo_migrate, which is a member of bo_owner. Returns the tenant's id.
CREATE FUNCTION ctl.apply_tenant(p_firm jsonb, p_tenant jsonb) RETURNS uuid LANGUAGE plpgsql AS $$
DECLARE v_firm uuid; v_tenant uuid;
BEGIN
  INSERT INTO ctl.firm (slug, legal_name, display_name)
  VALUES (p_firm->>'slug', p_firm->>'legal_name', p_firm->>'display_name')
  ON CONFLICT (slug) DO UPDATE SET legal_name = excluded.legal_name, display_name = excluded.display_name
  RETURNING id INTO v_firm;
  INSERT INTO ctl.tenant (firm_id, name, mode, plan, requests_per_minute, writes_per_minute, weight, max_in_flight, facts)
  VALUES (v_firm, p_tenant->>'name', p_tenant->>'mode', p_tenant->>'plan', (p_tenant->>'requests_per_minute')::int,
          (p_tenant->>'writes_per_minute')::int, (p_tenant->>'weight')::int, (p_tenant->>'max_in_flight')::int,
          p_tenant->'facts')
  ON CONFLICT (firm_id, name) DO UPDATE SET plan = excluded.plan, requests_per_minute = excluded.requests_per_minute,
    writes_per_minute = excluded.writes_per_minute, weight = excluded.weight, max_in_flight = excluded.max_in_flight,
    facts = excluded.facts
  WHERE ctl.tenant.mode = excluded.mode
  RETURNING id INTO v_tenant;
  IF v_tenant IS NULL THEN
    RAISE EXCEPTION 'the mode of a tenant cannot change' USING ERRCODE = 'check_violation';
  END IF;
  RETURN v_tenant;
END $$;
REVOKE ALL ON FUNCTION ctl.apply_tenant FROM PUBLIC;
