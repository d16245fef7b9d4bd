-- The journal's own watch, run after 0001_tables.sql as bo_owner. The functions run as whoever inserts, under
-- row-level security, and every query names the tenant as well.
--
-- On entries, at the end of each INSERT: the entries of a transaction come all at once, numbered 1 to the count that
-- the transaction declares and dated as it is, and sum to zero in each currency. With the unique key over
-- (tenant_id, transaction_id, line) nothing can be added to a transaction later, not even a pair that sums to zero.
-- On transactions, at the commit: the entries are there, sum to zero, stand in the currency of their accounts, and
-- those of a reversal undo what it reverses account by account.

CREATE FUNCTION app.ledger_entry_check() RETURNS trigger
  LANGUAGE plpgsql SECURITY INVOKER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  fault record;
BEGIN
  SELECT f.transaction_id, f.currency, sum(f.amount_minor) AS difference INTO fault
    FROM fresh f
   GROUP BY f.tenant_id, f.transaction_id, f.currency
  HAVING sum(f.amount_minor) <> 0
   LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'entries of transaction % do not sum to zero: % %', fault.transaction_id, fault.difference,
        fault.currency
      USING ERRCODE = 'check_violation', SCHEMA = 'app', TABLE = 'ledger_entry', CONSTRAINT = 'ledger_entry_zero_sum';
  END IF;
  SELECT g.transaction_id INTO fault
    FROM (SELECT f.tenant_id, f.transaction_id, count(*) AS entries, min(f.line) AS first_line, max(f.line) AS last_line,
                 min(f.effective_date) AS first_date, max(f.effective_date) AS last_date
            FROM fresh f
           GROUP BY f.tenant_id, f.transaction_id) g
    JOIN app.ledger_transaction t ON t.tenant_id = g.tenant_id AND t.id = g.transaction_id
   WHERE g.entries <> t.entry_count OR g.first_line <> 1 OR g.last_line <> t.entry_count
      OR g.first_date <> t.effective_date OR g.last_date <> t.effective_date
   LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'entries of transaction % must come in one statement, numbered from 1 to its entry_count and of '
        'its effective_date', fault.transaction_id
      USING ERRCODE = 'check_violation', SCHEMA = 'app', TABLE = 'ledger_entry', CONSTRAINT = 'ledger_entry_complete';
  END IF;
  RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION app.ledger_entry_check() FROM PUBLIC;

CREATE TRIGGER ledger_entry_check AFTER INSERT ON app.ledger_entry
  REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION app.ledger_entry_check();

CREATE FUNCTION app.ledger_transaction_check() RETURNS trigger
  LANGUAGE plpgsql SECURITY INVOKER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  found_entries bigint;
  found_foreign boolean;
BEGIN
  SELECT count(*), coalesce(bool_or(a.currency <> e.currency), false) INTO found_entries, found_foreign
    FROM app.ledger_entry e
    JOIN app.ledger_account a ON a.tenant_id = e.tenant_id AND a.id = e.account_id
   WHERE e.tenant_id = NEW.tenant_id AND e.transaction_id = NEW.id;
  IF found_entries < 2 OR found_entries <> NEW.entry_count THEN
    RAISE EXCEPTION 'transaction % has % entries, not %', NEW.id, found_entries, NEW.entry_count
      USING ERRCODE = 'check_violation', SCHEMA = 'app', TABLE = 'ledger_transaction',
        CONSTRAINT = 'ledger_transaction_entries';
  END IF;
  IF found_foreign THEN
    RAISE EXCEPTION 'transaction % has an entry in another currency than its account', NEW.id
      USING ERRCODE = 'check_violation', SCHEMA = 'app', TABLE = 'ledger_transaction',
        CONSTRAINT = 'ledger_transaction_currency';
  END IF;
  IF EXISTS (SELECT FROM app.ledger_entry e
              WHERE e.tenant_id = NEW.tenant_id AND e.transaction_id = NEW.id
              GROUP BY e.currency HAVING sum(e.amount_minor) <> 0) THEN
    RAISE EXCEPTION 'entries of transaction % do not sum to zero', NEW.id
      USING ERRCODE = 'check_violation', SCHEMA = 'app', TABLE = 'ledger_transaction',
        CONSTRAINT = 'ledger_transaction_zero_sum';
  END IF;
  IF NEW.reverses IS NOT NULL AND EXISTS (
      SELECT FROM app.ledger_entry e
       WHERE e.tenant_id = NEW.tenant_id AND e.transaction_id IN (NEW.id, NEW.reverses)
       GROUP BY e.account_id HAVING sum(e.amount_minor) <> 0) THEN
    RAISE EXCEPTION 'transaction % does not undo transaction %', NEW.id, NEW.reverses
      USING ERRCODE = 'check_violation', SCHEMA = 'app', TABLE = 'ledger_transaction',
        CONSTRAINT = 'ledger_transaction_reversal';
  END IF;
  RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION app.ledger_transaction_check() FROM PUBLIC;

CREATE CONSTRAINT TRIGGER ledger_transaction_check AFTER INSERT ON app.ledger_transaction
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION app.ledger_transaction_check();
