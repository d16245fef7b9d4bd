CREATE TABLE app.audit_event (
	tenant_id UUID NOT NULL, 
	id UUID DEFAULT uuidv7() NOT NULL, 
	at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL, 
	actor TEXT NOT NULL, 
	actor_kind TEXT NOT NULL, 
	key_id UUID, 
	grant_id TEXT, 
	request_id TEXT NOT NULL, 
	action TEXT NOT NULL, 
	object_type TEXT, 
	object_id UUID, 
	object_version BIGINT, 
	changed JSONB DEFAULT '{}'::jsonb NOT NULL, 
	reason TEXT, 
	CONSTRAINT audit_event_pkey PRIMARY KEY (tenant_id, id)
);
CREATE INDEX audit_event_revealed_idx ON app.audit_event (tenant_id, actor, at) WHERE action = 'worker.revealed';
CREATE INDEX audit_event_tenant_id_object_id_id_idx ON app.audit_event (tenant_id, object_id, id);
CREATE INDEX audit_event_tenant_id_request_id_idx ON app.audit_event (tenant_id, request_id);
ALTER TABLE app.audit_event ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.audit_event FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_isolation ON app.audit_event FOR ALL TO bo_app, bo_export USING (tenant_id = app.current_tenant()) WITH CHECK (tenant_id = app.current_tenant());
GRANT SELECT, INSERT ON app.audit_event TO bo_app;
GRANT SELECT ON app.audit_event TO bo_export;
CREATE POLICY sealer ON app.audit_event FOR ALL TO bo_sealer USING (true) WITH CHECK (true);
GRANT SELECT ON app.audit_event TO bo_sealer;

CREATE TABLE app.client (
	tenant_id UUID NOT NULL, 
	id UUID DEFAULT uuidv7() NOT NULL, 
	name TEXT NOT NULL, 
	billing_email TEXT, 
	address_line1 TEXT NOT NULL, 
	address_line2 TEXT, 
	city TEXT NOT NULL, 
	state TEXT NOT NULL, 
	postal_code TEXT NOT NULL, 
	payment_terms_days SMALLINT DEFAULT 30 NOT NULL, 
	status TEXT DEFAULT 'active' NOT NULL CONSTRAINT client_status_check CHECK (status IN ('active', 'inactive')), 
	external_id TEXT CONSTRAINT client_external_id_check CHECK (length(external_id) <= 128), 
	metadata JSONB DEFAULT '{}'::jsonb NOT NULL, 
	version BIGINT DEFAULT 1 NOT NULL, 
	created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	updated_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	CONSTRAINT client_pkey PRIMARY KEY (tenant_id, id), 
	CONSTRAINT client_payment_terms_days_check CHECK (payment_terms_days BETWEEN 0 AND 365), 
	CONSTRAINT client_tenant_id_external_id_key UNIQUE (tenant_id, external_id)
);
CREATE INDEX client_tenant_id_name_id_idx ON app.client (tenant_id, name, id);
ALTER TABLE app.client ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.client FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_isolation ON app.client FOR ALL TO bo_app, bo_export USING (tenant_id = app.current_tenant()) WITH CHECK (tenant_id = app.current_tenant());
GRANT SELECT, INSERT, UPDATE, DELETE ON app.client TO bo_app;
GRANT SELECT ON app.client TO bo_export;

CREATE TABLE app.counter (
	tenant_id UUID NOT NULL, 
	name TEXT NOT NULL, 
	next BIGINT NOT NULL, 
	CONSTRAINT counter_pkey PRIMARY KEY (tenant_id, name)
);
ALTER TABLE app.counter ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.counter FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_isolation ON app.counter FOR ALL TO bo_app, bo_export USING (tenant_id = app.current_tenant()) WITH CHECK (tenant_id = app.current_tenant());
GRANT SELECT, INSERT, UPDATE, DELETE ON app.counter TO bo_app;
GRANT SELECT ON app.counter TO bo_export;

CREATE TABLE app.data_key (
	tenant_id UUID NOT NULL, 
	key_version SMALLINT NOT NULL, 
	wrapped BYTEA NOT NULL, 
	state TEXT DEFAULT 'active' NOT NULL CONSTRAINT data_key_state_check CHECK (state IN ('active', 'retired')), 
	created_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL, 
	CONSTRAINT data_key_pkey PRIMARY KEY (tenant_id, key_version)
);
ALTER TABLE app.data_key ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.data_key FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_isolation ON app.data_key FOR ALL TO bo_app, bo_export USING (tenant_id = app.current_tenant()) WITH CHECK (tenant_id = app.current_tenant());
GRANT SELECT, INSERT, UPDATE, DELETE ON app.data_key TO bo_app;
GRANT SELECT ON app.data_key TO bo_export;

CREATE TABLE app.document (
	tenant_id UUID NOT NULL, 
	id UUID DEFAULT uuidv7() NOT NULL, 
	key TEXT NOT NULL, 
	kind TEXT NOT NULL, 
	title TEXT NOT NULL, 
	file_name TEXT NOT NULL, 
	media_type TEXT NOT NULL, 
	subject TEXT, 
	retention_until DATE, 
	status TEXT NOT NULL CONSTRAINT document_status_check CHECK (status IN ('storing', 'available')), 
	job_id UUID NOT NULL, 
	storage_key TEXT NOT NULL, 
	size_bytes BIGINT, 
	sha256 BYTEA, 
	external_id TEXT CONSTRAINT document_external_id_check CHECK (length(external_id) <= 128), 
	metadata JSONB DEFAULT '{}'::jsonb NOT NULL, 
	version BIGINT DEFAULT 1 NOT NULL, 
	created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	updated_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	CONSTRAINT document_pkey PRIMARY KEY (tenant_id, id), 
	CONSTRAINT document_available_check CHECK ((status = 'available') = (size_bytes IS NOT NULL) AND (status = 'available') = (sha256 IS NOT NULL)), 
	CONSTRAINT document_tenant_id_key_key UNIQUE (tenant_id, key), 
	CONSTRAINT document_tenant_id_external_id_key UNIQUE (tenant_id, external_id)
);
CREATE INDEX document_storing_idx ON app.document (tenant_id, job_id) WHERE status = 'storing';
CREATE INDEX document_tenant_id_kind_id_idx ON app.document (tenant_id, kind, id);
CREATE INDEX document_tenant_id_subject_id_idx ON app.document (tenant_id, subject, id);
ALTER TABLE app.document ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.document FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_isolation ON app.document FOR ALL TO bo_app, bo_export USING (tenant_id = app.current_tenant()) WITH CHECK (tenant_id = app.current_tenant());
GRANT SELECT, INSERT, UPDATE, DELETE ON app.document TO bo_app;
GRANT SELECT ON app.document TO bo_export;

CREATE TABLE app.employer (
	tenant_id UUID NOT NULL, 
	id UUID DEFAULT uuidv7() NOT NULL, 
	legal_name TEXT NOT NULL, 
	ein TEXT NOT NULL, 
	address JSONB NOT NULL, 
	state_accounts JSONB NOT NULL, 
	bank JSONB NOT NULL, 
	offset_account_sealed BYTEA, 
	external_id TEXT CONSTRAINT employer_external_id_check CHECK (length(external_id) <= 128), 
	metadata JSONB DEFAULT '{}'::jsonb NOT NULL, 
	version BIGINT DEFAULT 1 NOT NULL, 
	created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	updated_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	CONSTRAINT employer_pkey PRIMARY KEY (tenant_id, id), 
	CONSTRAINT employer_tenant_id_ein_key UNIQUE (tenant_id, ein), 
	CONSTRAINT employer_tenant_id_external_id_key UNIQUE (tenant_id, external_id)
);
ALTER TABLE app.employer ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.employer FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_isolation ON app.employer FOR ALL TO bo_app, bo_export USING (tenant_id = app.current_tenant()) WITH CHECK (tenant_id = app.current_tenant());
GRANT SELECT, INSERT, UPDATE, DELETE ON app.employer TO bo_app;
GRANT SELECT ON app.employer TO bo_export;

CREATE TABLE app.event (
	tenant_id UUID NOT NULL, 
	id UUID DEFAULT uuidv7() NOT NULL, 
	type TEXT NOT NULL, 
	object_type TEXT NOT NULL, 
	object_id UUID NOT NULL, 
	object_sequence BIGINT NOT NULL, 
	body TEXT NOT NULL, 
	actor TEXT NOT NULL, 
	request_id TEXT NOT NULL, 
	traceparent TEXT, 
	occurred_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	recorded_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL, 
	fanned_out BOOLEAN DEFAULT false NOT NULL, 
	CONSTRAINT event_pkey PRIMARY KEY (tenant_id, id), 
	CONSTRAINT event_tenant_id_object_id_object_sequence_key UNIQUE (tenant_id, object_id, object_sequence)
);
CREATE INDEX event_fan_out_idx ON app.event (tenant_id, id) WHERE NOT fanned_out;
CREATE INDEX event_recorded_idx ON app.event (tenant_id, recorded_at);
CREATE INDEX event_type_idx ON app.event (tenant_id, type, id);
ALTER TABLE app.event ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.event FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_isolation ON app.event FOR ALL TO bo_app, bo_export USING (tenant_id = app.current_tenant()) WITH CHECK (tenant_id = app.current_tenant());
GRANT SELECT, INSERT, UPDATE, DELETE ON app.event TO bo_app;
GRANT SELECT ON app.event TO bo_export;
CREATE POLICY dispatch ON app.event FOR ALL TO bo_dispatch USING (true) WITH CHECK (true);
GRANT SELECT (tenant_id, id, fanned_out) ON app.event TO bo_dispatch;
GRANT UPDATE (fanned_out) ON app.event TO bo_dispatch;

CREATE TABLE app.idempotency (
	tenant_id UUID NOT NULL, 
	scope TEXT NOT NULL, 
	key TEXT NOT NULL, 
	fingerprint BYTEA NOT NULL, 
	status SMALLINT NOT NULL, 
	headers JSONB NOT NULL, 
	body BYTEA NOT NULL, 
	expires_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	CONSTRAINT idempotency_pkey PRIMARY KEY (tenant_id, scope, key)
);
CREATE INDEX idempotency_tenant_id_expires_at_idx ON app.idempotency (tenant_id, expires_at);
ALTER TABLE app.idempotency ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.idempotency FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_isolation ON app.idempotency FOR ALL TO bo_app, bo_export USING (tenant_id = app.current_tenant()) WITH CHECK (tenant_id = app.current_tenant());
GRANT SELECT, INSERT, UPDATE, DELETE ON app.idempotency TO bo_app;
GRANT SELECT ON app.idempotency TO bo_export;

CREATE TABLE app.job (
	tenant_id UUID NOT NULL, 
	id UUID DEFAULT uuidv7() NOT NULL, 
	kind TEXT NOT NULL, 
	kind_version SMALLINT NOT NULL, 
	key TEXT, 
	band TEXT NOT NULL CONSTRAINT job_band_check CHECK (band IN ('interactive', 'normal', 'bulk')), 
	state TEXT NOT NULL CONSTRAINT job_state_check CHECK (state IN ('scheduled', 'ready', 'released', 'running', 'succeeded', 'retry_wait', 'waiting', 'canceled', 'dead')), 
	payload JSONB NOT NULL, 
	result JSONB, 
	problem JSONB, 
	actor TEXT NOT NULL, 
	request_id TEXT NOT NULL, 
	traceparent TEXT, 
	parent_id UUID, 
	run_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL, 
	due_at TIMESTAMP WITH TIME ZONE, 
	deadline_at TIMESTAMP WITH TIME ZONE, 
	attempt SMALLINT DEFAULT 0 NOT NULL, 
	max_attempts SMALLINT NOT NULL, 
	crashes SMALLINT DEFAULT 0 NOT NULL, 
	fence BIGINT DEFAULT 0 NOT NULL, 
	lease_until TIMESTAMP WITH TIME ZONE, 
	worker TEXT, 
	started_at TIMESTAMP WITH TIME ZONE, 
	finished_at TIMESTAMP WITH TIME ZONE, 
	began_at TIMESTAMP WITH TIME ZONE, 
	cancel_requested BOOLEAN DEFAULT false NOT NULL, 
	progress_done INTEGER DEFAULT 0 NOT NULL, 
	progress_total INTEGER DEFAULT 0 NOT NULL, 
	progress_text TEXT, 
	version BIGINT DEFAULT 1 NOT NULL, 
	created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	updated_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	CONSTRAINT job_pkey PRIMARY KEY (tenant_id, id), 
	CONSTRAINT job_lease_check CHECK ((lease_until IS NOT NULL) = (state IN ('released', 'running'))), 
	CONSTRAINT job_finished_check CHECK ((finished_at IS NOT NULL) = (state IN ('succeeded', 'canceled', 'dead'))), 
	CONSTRAINT job_running_check CHECK (state <> 'running' OR (worker IS NOT NULL AND started_at IS NOT NULL)), 
	CONSTRAINT job_tenant_id_parent_id_fkey FOREIGN KEY(tenant_id, parent_id) REFERENCES app.job (tenant_id, id)
);
CREATE INDEX job_due_idx ON app.job (tenant_id, due_at) WHERE state = 'scheduled';
CREATE INDEX job_ended_idx ON app.job (tenant_id, finished_at) WHERE finished_at IS NOT NULL;
CREATE UNIQUE INDEX job_kind_key_key ON app.job (tenant_id, kind, key) WHERE key IS NOT NULL;
CREATE INDEX job_leased_idx ON app.job (tenant_id, lease_until) WHERE state IN ('released', 'running');
CREATE INDEX job_open_children_idx ON app.job (tenant_id, parent_id) WHERE parent_id IS NOT NULL AND finished_at IS NULL;
CREATE INDEX job_ready_idx ON app.job (tenant_id, band, run_at, id) WHERE state IN ('scheduled', 'ready', 'retry_wait');
CREATE INDEX job_tenant_id_parent_id_idx ON app.job (tenant_id, parent_id) WHERE parent_id IS NOT NULL;
CREATE INDEX job_waiting_idx ON app.job (tenant_id) WHERE state = 'waiting';
ALTER TABLE app.job ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.job FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_isolation ON app.job FOR ALL TO bo_app, bo_export USING (tenant_id = app.current_tenant()) WITH CHECK (tenant_id = app.current_tenant());
GRANT SELECT, INSERT, UPDATE, DELETE ON app.job TO bo_app;
GRANT SELECT ON app.job TO bo_export;
CREATE POLICY dispatch ON app.job FOR ALL TO bo_dispatch USING (true) WITH CHECK (true);
GRANT SELECT (id, tenant_id, kind, band, state, run_at, deadline_at, attempt, crashes, fence, lease_until, worker, started_at, finished_at, cancel_requested) ON app.job TO bo_dispatch;
GRANT UPDATE (state, attempt, crashes, fence, lease_until, worker, run_at, started_at, finished_at) ON app.job TO bo_dispatch;

CREATE TABLE app.ledger_account (
	tenant_id UUID NOT NULL, 
	id UUID DEFAULT uuidv7() NOT NULL, 
	code TEXT NOT NULL, 
	name TEXT NOT NULL, 
	kind TEXT NOT NULL CONSTRAINT ledger_account_kind_check CHECK (kind IN ('asset', 'liability', 'equity', 'revenue', 'expense')), 
	currency TEXT NOT NULL CONSTRAINT ledger_account_currency_check CHECK (currency ~ '^[A-Z]{3}$'), 
	normal_side TEXT NOT NULL CONSTRAINT ledger_account_normal_side_check CHECK (normal_side IN ('debit', 'credit')), 
	facts JSONB DEFAULT '{}'::jsonb NOT NULL, 
	external_id TEXT CONSTRAINT ledger_account_external_id_check CHECK (length(external_id) <= 128), 
	metadata JSONB DEFAULT '{}'::jsonb NOT NULL, 
	version BIGINT DEFAULT 1 NOT NULL, 
	created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	updated_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	CONSTRAINT ledger_account_pkey PRIMARY KEY (tenant_id, id), 
	CONSTRAINT ledger_account_tenant_id_code_key UNIQUE (tenant_id, code), 
	CONSTRAINT ledger_account_tenant_id_external_id_key UNIQUE (tenant_id, external_id)
);
ALTER TABLE app.ledger_account ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.ledger_account FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_isolation ON app.ledger_account FOR ALL TO bo_app, bo_export USING (tenant_id = app.current_tenant()) WITH CHECK (tenant_id = app.current_tenant());
GRANT SELECT, INSERT ON app.ledger_account TO bo_app;
GRANT SELECT ON app.ledger_account TO bo_export;
CREATE POLICY reset ON app.ledger_account FOR ALL TO bo_reset USING (tenant_id = ctl.test_tenant()) WITH CHECK (false);
GRANT SELECT (tenant_id), DELETE ON app.ledger_account TO bo_reset;

CREATE TABLE app.ledger_transaction (
	tenant_id UUID NOT NULL, 
	id UUID DEFAULT uuidv7() NOT NULL, 
	key TEXT NOT NULL, 
	fingerprint BYTEA NOT NULL, 
	effective_date DATE NOT NULL, 
	posted_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	posted_by TEXT NOT NULL, 
	description TEXT NOT NULL, 
	source TEXT, 
	reverses UUID, 
	entry_count SMALLINT NOT NULL CONSTRAINT ledger_transaction_entry_count_check CHECK (entry_count BETWEEN 2 AND 1000), 
	CONSTRAINT ledger_transaction_pkey PRIMARY KEY (tenant_id, id), 
	CONSTRAINT ledger_transaction_tenant_id_key_key UNIQUE (tenant_id, key), 
	CONSTRAINT ledger_transaction_tenant_id_reverses_key UNIQUE (tenant_id, reverses), 
	CONSTRAINT ledger_transaction_tenant_id_reverses_fkey FOREIGN KEY(tenant_id, reverses) REFERENCES app.ledger_transaction (tenant_id, id)
);
CREATE INDEX ledger_transaction_tenant_id_effective_date_id_idx ON app.ledger_transaction (tenant_id, effective_date, id);
CREATE INDEX ledger_transaction_tenant_id_source_id_idx ON app.ledger_transaction (tenant_id, source, id);
ALTER TABLE app.ledger_transaction ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.ledger_transaction FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_isolation ON app.ledger_transaction FOR ALL TO bo_app, bo_export USING (tenant_id = app.current_tenant()) WITH CHECK (tenant_id = app.current_tenant());
GRANT SELECT, INSERT ON app.ledger_transaction TO bo_app;
GRANT SELECT ON app.ledger_transaction TO bo_export;
CREATE POLICY reset ON app.ledger_transaction FOR ALL TO bo_reset USING (tenant_id = ctl.test_tenant()) WITH CHECK (false);
GRANT SELECT (tenant_id), DELETE ON app.ledger_transaction TO bo_reset;

CREATE TABLE app.object_sequence (
	tenant_id UUID NOT NULL, 
	object_id UUID NOT NULL, 
	last BIGINT NOT NULL, 
	CONSTRAINT object_sequence_pkey PRIMARY KEY (tenant_id, object_id)
);
ALTER TABLE app.object_sequence ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.object_sequence FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_isolation ON app.object_sequence FOR ALL TO bo_app, bo_export USING (tenant_id = app.current_tenant()) WITH CHECK (tenant_id = app.current_tenant());
GRANT SELECT, INSERT, UPDATE, DELETE ON app.object_sequence TO bo_app;
GRANT SELECT ON app.object_sequence TO bo_export;

CREATE TABLE app.pay_schedule (
	tenant_id UUID NOT NULL, 
	id UUID DEFAULT uuidv7() NOT NULL, 
	name TEXT NOT NULL, 
	frequency TEXT NOT NULL CONSTRAINT pay_schedule_frequency_check CHECK (frequency IN ('daily', 'weekly', 'biweekly', 'semimonthly', 'monthly', 'quarterly', 'semiannual', 'annual')), 
	workweek_starts SMALLINT NOT NULL, 
	first_period_begins DATE NOT NULL, 
	payday_after_days SMALLINT NOT NULL, 
	external_id TEXT CONSTRAINT pay_schedule_external_id_check CHECK (length(external_id) <= 128), 
	metadata JSONB DEFAULT '{}'::jsonb NOT NULL, 
	version BIGINT DEFAULT 1 NOT NULL, 
	created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	updated_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	CONSTRAINT pay_schedule_pkey PRIMARY KEY (tenant_id, id), 
	CONSTRAINT pay_schedule_tenant_id_name_key UNIQUE (tenant_id, name), 
	CONSTRAINT pay_schedule_tenant_id_external_id_key UNIQUE (tenant_id, external_id)
);
ALTER TABLE app.pay_schedule ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.pay_schedule FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_isolation ON app.pay_schedule FOR ALL TO bo_app, bo_export USING (tenant_id = app.current_tenant()) WITH CHECK (tenant_id = app.current_tenant());
GRANT SELECT, INSERT, UPDATE, DELETE ON app.pay_schedule TO bo_app;
GRANT SELECT ON app.pay_schedule TO bo_export;

CREATE TABLE app.payroll_run (
	tenant_id UUID NOT NULL, 
	id UUID DEFAULT uuidv7() NOT NULL, 
	status TEXT DEFAULT 'draft' NOT NULL CONSTRAINT payroll_run_status_check CHECK (status IN ('draft', 'calculating', 'blocked', 'ready', 'approved', 'paying', 'paid', 'canceled')), 
	pay_schedule TEXT NOT NULL, 
	frequency TEXT NOT NULL, 
	workweek_starts SMALLINT NOT NULL, 
	employer_id UUID NOT NULL, 
	period_begin DATE NOT NULL, 
	period_end DATE NOT NULL, 
	pay_date DATE NOT NULL, 
	created_by TEXT NOT NULL, 
	approved_by TEXT, 
	approved_at TIMESTAMP WITH TIME ZONE, 
	calculated_at TIMESTAMP WITH TIME ZONE, 
	paid_at TIMESTAMP WITH TIME ZONE, 
	paycheck_count INTEGER DEFAULT 0 NOT NULL, 
	gross_minor BIGINT DEFAULT 0 NOT NULL, 
	employee_taxes_minor BIGINT DEFAULT 0 NOT NULL, 
	employer_taxes_minor BIGINT DEFAULT 0 NOT NULL, 
	deductions_minor BIGINT DEFAULT 0 NOT NULL, 
	garnishments_minor BIGINT DEFAULT 0 NOT NULL, 
	net_minor BIGINT DEFAULT 0 NOT NULL, 
	external_id TEXT CONSTRAINT payroll_run_external_id_check CHECK (length(external_id) <= 128), 
	metadata JSONB DEFAULT '{}'::jsonb NOT NULL, 
	version BIGINT DEFAULT 1 NOT NULL, 
	created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	updated_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	CONSTRAINT payroll_run_pkey PRIMARY KEY (tenant_id, id), 
	CONSTRAINT payroll_run_dates_check CHECK (period_begin <= period_end AND period_end <= pay_date), 
	CONSTRAINT payroll_run_net_check CHECK (gross_minor - employee_taxes_minor - deductions_minor - garnishments_minor = net_minor), 
	CONSTRAINT payroll_run_approved_check CHECK (status NOT IN ('approved', 'paying', 'paid') OR approved_by IS NOT NULL), 
	CONSTRAINT payroll_run_paid_check CHECK ((paid_at IS NOT NULL) = (status = 'paid')), 
	CONSTRAINT payroll_run_tenant_id_external_id_key UNIQUE (tenant_id, external_id)
);
CREATE UNIQUE INDEX payroll_run_period_idx ON app.payroll_run (tenant_id, pay_schedule, period_begin) WHERE status <> 'canceled';
CREATE INDEX payroll_run_tenant_id_pay_date_id_idx ON app.payroll_run (tenant_id, pay_date, id);
CREATE INDEX payroll_run_tenant_id_status_id_idx ON app.payroll_run (tenant_id, status, id);
ALTER TABLE app.payroll_run ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.payroll_run FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_isolation ON app.payroll_run FOR ALL TO bo_app, bo_export USING (tenant_id = app.current_tenant()) WITH CHECK (tenant_id = app.current_tenant());
GRANT SELECT, INSERT, UPDATE, DELETE ON app.payroll_run TO bo_app;
GRANT SELECT ON app.payroll_run TO bo_export;

CREATE TABLE app.person (
	tenant_id UUID NOT NULL, 
	id UUID DEFAULT uuidv7() NOT NULL, 
	slug TEXT NOT NULL, 
	name TEXT NOT NULL, 
	email TEXT NOT NULL, 
	roles JSONB NOT NULL, 
	active BOOLEAN DEFAULT true NOT NULL, 
	external_id TEXT CONSTRAINT person_external_id_check CHECK (length(external_id) <= 128), 
	metadata JSONB DEFAULT '{}'::jsonb NOT NULL, 
	version BIGINT DEFAULT 1 NOT NULL, 
	created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	updated_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	CONSTRAINT person_pkey PRIMARY KEY (tenant_id, id), 
	CONSTRAINT person_tenant_id_slug_key UNIQUE (tenant_id, slug), 
	CONSTRAINT person_tenant_id_email_key UNIQUE (tenant_id, email), 
	CONSTRAINT person_tenant_id_external_id_key UNIQUE (tenant_id, external_id)
);
ALTER TABLE app.person ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.person FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_isolation ON app.person FOR ALL TO bo_app, bo_export USING (tenant_id = app.current_tenant()) WITH CHECK (tenant_id = app.current_tenant());
GRANT SELECT, INSERT, UPDATE, DELETE ON app.person TO bo_app;
GRANT SELECT ON app.person TO bo_export;

CREATE TABLE app.schedule (
	tenant_id UUID NOT NULL, 
	id UUID DEFAULT uuidv7() NOT NULL, 
	name TEXT NOT NULL, 
	source TEXT NOT NULL CONSTRAINT schedule_source_check CHECK (source IN ('tenant_file', 'platform')), 
	status TEXT DEFAULT 'active' NOT NULL CONSTRAINT schedule_status_check CHECK (status IN ('active', 'paused')), 
	rule TEXT NOT NULL, 
	time_zone TEXT NOT NULL, 
	catch_up TEXT NOT NULL CONSTRAINT schedule_catch_up_check CHECK (catch_up IN ('none', 'one', 'all')), 
	catch_up_limit SMALLINT DEFAULT 1 NOT NULL, 
	kind TEXT NOT NULL, 
	kind_version SMALLINT NOT NULL, 
	band TEXT NOT NULL CONSTRAINT schedule_band_check CHECK (band IN ('interactive', 'normal', 'bulk')), 
	max_attempts SMALLINT NOT NULL, 
	payload JSONB NOT NULL, 
	due_at TIMESTAMP WITH TIME ZONE, 
	next_at TIMESTAMP WITH TIME ZONE, 
	fired_at TIMESTAMP WITH TIME ZONE, 
	external_id TEXT CONSTRAINT schedule_external_id_check CHECK (length(external_id) <= 128), 
	metadata JSONB DEFAULT '{}'::jsonb NOT NULL, 
	version BIGINT DEFAULT 1 NOT NULL, 
	created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	updated_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	CONSTRAINT schedule_pkey PRIMARY KEY (tenant_id, id), 
	CONSTRAINT schedule_paused_check CHECK (status = 'active' OR (due_at IS NULL AND next_at IS NULL)), 
	CONSTRAINT schedule_next_check CHECK (next_at IS NULL OR due_at IS NOT NULL), 
	CONSTRAINT schedule_tenant_id_name_key UNIQUE (tenant_id, name), 
	CONSTRAINT schedule_tenant_id_external_id_key UNIQUE (tenant_id, external_id)
);
CREATE INDEX schedule_tenant_id_next_at_idx ON app.schedule (tenant_id, next_at);
ALTER TABLE app.schedule ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.schedule FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_isolation ON app.schedule FOR ALL TO bo_app, bo_export USING (tenant_id = app.current_tenant()) WITH CHECK (tenant_id = app.current_tenant());
GRANT SELECT, INSERT, UPDATE, DELETE ON app.schedule TO bo_app;
GRANT SELECT ON app.schedule TO bo_export;
CREATE POLICY dispatch ON app.schedule FOR ALL TO bo_dispatch USING (true) WITH CHECK (true);
GRANT SELECT (tenant_id, id, next_at) ON app.schedule TO bo_dispatch;

CREATE TABLE app.tenant_setting (
	tenant_id UUID NOT NULL, 
	name TEXT NOT NULL, 
	value JSONB NOT NULL, 
	CONSTRAINT tenant_setting_pkey PRIMARY KEY (tenant_id, name)
);
ALTER TABLE app.tenant_setting ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.tenant_setting FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_isolation ON app.tenant_setting FOR ALL TO bo_app, bo_export USING (tenant_id = app.current_tenant()) WITH CHECK (tenant_id = app.current_tenant());
GRANT SELECT, INSERT, UPDATE, DELETE ON app.tenant_setting TO bo_app;
GRANT SELECT ON app.tenant_setting TO bo_export;

CREATE TABLE app.test_clock (
	tenant_id UUID NOT NULL, 
	id UUID DEFAULT uuidv7() NOT NULL, 
	frozen_time TIMESTAMP WITH TIME ZONE NOT NULL, 
	status TEXT DEFAULT 'ready' NOT NULL CONSTRAINT test_clock_status_check CHECK (status IN ('ready', 'advancing')), 
	advancing_to TIMESTAMP WITH TIME ZONE, 
	job_id UUID, 
	seed BIGINT, 
	drawn BIGINT DEFAULT 0 NOT NULL, 
	one BOOLEAN DEFAULT true NOT NULL CONSTRAINT test_clock_one_check CHECK (one), 
	external_id TEXT CONSTRAINT test_clock_external_id_check CHECK (length(external_id) <= 128), 
	metadata JSONB DEFAULT '{}'::jsonb NOT NULL, 
	version BIGINT DEFAULT 1 NOT NULL, 
	created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	updated_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	CONSTRAINT test_clock_pkey PRIMARY KEY (tenant_id, id), 
	CONSTRAINT test_clock_advancing_check CHECK ((status = 'advancing') = (advancing_to IS NOT NULL)), 
	CONSTRAINT test_clock_tenant_id_one_key UNIQUE (tenant_id, one), 
	CONSTRAINT test_clock_tenant_id_external_id_key UNIQUE (tenant_id, external_id)
);
ALTER TABLE app.test_clock ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.test_clock FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_isolation ON app.test_clock FOR ALL TO bo_app, bo_export USING (tenant_id = app.current_tenant()) WITH CHECK (tenant_id = app.current_tenant());
GRANT SELECT, INSERT, UPDATE, DELETE ON app.test_clock TO bo_app;
GRANT SELECT ON app.test_clock TO bo_export;

CREATE TABLE app.webhook_attempt (
	tenant_id UUID NOT NULL, 
	id UUID DEFAULT uuidv7() NOT NULL, 
	delivery_id UUID NOT NULL, 
	attempt SMALLINT NOT NULL, 
	at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL, 
	status SMALLINT, 
	milliseconds INTEGER NOT NULL, 
	error_code TEXT, 
	request_url TEXT, 
	request_body TEXT, 
	response_body TEXT, 
	CONSTRAINT webhook_attempt_pkey PRIMARY KEY (tenant_id, id)
);
CREATE INDEX webhook_attempt_tenant_id_delivery_id_attempt_idx ON app.webhook_attempt (tenant_id, delivery_id, attempt);
ALTER TABLE app.webhook_attempt ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.webhook_attempt FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_isolation ON app.webhook_attempt FOR ALL TO bo_app, bo_export USING (tenant_id = app.current_tenant()) WITH CHECK (tenant_id = app.current_tenant());
GRANT SELECT, INSERT, UPDATE, DELETE ON app.webhook_attempt TO bo_app;
GRANT SELECT ON app.webhook_attempt TO bo_export;
CREATE POLICY dispatch ON app.webhook_attempt FOR ALL TO bo_dispatch USING (true) WITH CHECK (true);
GRANT INSERT (tenant_id, delivery_id, attempt, status, milliseconds, error_code) ON app.webhook_attempt TO bo_dispatch;

CREATE TABLE app.webhook_endpoint (
	tenant_id UUID NOT NULL, 
	id UUID DEFAULT uuidv7() NOT NULL, 
	url TEXT NOT NULL, 
	description TEXT, 
	event_types JSONB, 
	secret_sealed BYTEA NOT NULL, 
	previous_secret_sealed BYTEA, 
	previous_secret_until TIMESTAMP WITH TIME ZONE, 
	status TEXT DEFAULT 'enabled' NOT NULL CONSTRAINT webhook_endpoint_status_check CHECK (status IN ('enabled', 'paused', 'disabled')), 
	status_reason TEXT CONSTRAINT webhook_endpoint_status_reason_check CHECK (status_reason IN ('by_request', 'tries_used_up', 'gone')), 
	health TEXT DEFAULT 'healthy' NOT NULL CONSTRAINT webhook_endpoint_health_check CHECK (health IN ('healthy', 'failing')), 
	api_version TEXT NOT NULL, 
	last_sequence BIGINT DEFAULT 0 NOT NULL, 
	payload TEXT DEFAULT 'full' NOT NULL CONSTRAINT webhook_endpoint_payload_check CHECK (payload IN ('full', 'ids')), 
	ordered BOOLEAN DEFAULT true NOT NULL, 
	max_concurrency SMALLINT DEFAULT 16 NOT NULL, 
	deleted_at TIMESTAMP WITH TIME ZONE, 
	external_id TEXT CONSTRAINT webhook_endpoint_external_id_check CHECK (length(external_id) <= 128), 
	metadata JSONB DEFAULT '{}'::jsonb NOT NULL, 
	version BIGINT DEFAULT 1 NOT NULL, 
	created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	updated_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	CONSTRAINT webhook_endpoint_pkey PRIMARY KEY (tenant_id, id), 
	CONSTRAINT webhook_endpoint_reason_check CHECK ((status = 'enabled') = (status_reason IS NULL)), 
	CONSTRAINT webhook_endpoint_overlap_check CHECK ((previous_secret_sealed IS NULL) = (previous_secret_until IS NULL)), 
	CONSTRAINT webhook_endpoint_max_concurrency_check CHECK (max_concurrency BETWEEN 1 AND 64), 
	CONSTRAINT webhook_endpoint_tenant_id_external_id_key UNIQUE (tenant_id, external_id)
);
ALTER TABLE app.webhook_endpoint ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.webhook_endpoint FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_isolation ON app.webhook_endpoint FOR ALL TO bo_app, bo_export USING (tenant_id = app.current_tenant()) WITH CHECK (tenant_id = app.current_tenant());
GRANT SELECT, INSERT, UPDATE, DELETE ON app.webhook_endpoint TO bo_app;
GRANT SELECT ON app.webhook_endpoint TO bo_export;

CREATE TABLE app.worker (
	tenant_id UUID NOT NULL, 
	id UUID DEFAULT uuidv7() NOT NULL, 
	number BIGINT NOT NULL, 
	first_name TEXT NOT NULL, 
	middle_name TEXT, 
	last_name TEXT NOT NULL, 
	email TEXT, 
	phone TEXT, 
	address_line1 TEXT NOT NULL, 
	address_line2 TEXT, 
	city TEXT NOT NULL, 
	state TEXT NOT NULL, 
	postal_code TEXT NOT NULL, 
	residence_locality TEXT, 
	ssn_sealed BYTEA, 
	ssn_bidx BYTEA, 
	ssn_last4 TEXT, 
	birth_date_sealed BYTEA, 
	status TEXT DEFAULT 'active' NOT NULL CONSTRAINT worker_status_check CHECK (status IN ('active', 'inactive')), 
	external_id TEXT CONSTRAINT worker_external_id_check CHECK (length(external_id) <= 128), 
	metadata JSONB DEFAULT '{}'::jsonb NOT NULL, 
	version BIGINT DEFAULT 1 NOT NULL, 
	created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	updated_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	CONSTRAINT worker_pkey PRIMARY KEY (tenant_id, id), 
	CONSTRAINT worker_ssn_check CHECK ((ssn_sealed IS NULL) = (ssn_bidx IS NULL)), 
	CONSTRAINT worker_ssn_last4_check CHECK ((ssn_sealed IS NULL) = (ssn_last4 IS NULL)), 
	CONSTRAINT worker_tenant_id_number_key UNIQUE (tenant_id, number), 
	CONSTRAINT worker_tenant_id_ssn_bidx_key UNIQUE (tenant_id, ssn_bidx), 
	CONSTRAINT worker_tenant_id_external_id_key UNIQUE (tenant_id, external_id)
);
CREATE INDEX worker_tenant_id_created_at_id_idx ON app.worker (tenant_id, created_at, id);
CREATE INDEX worker_tenant_id_email_idx ON app.worker (tenant_id, email);
CREATE INDEX worker_tenant_id_last_name_id_idx ON app.worker (tenant_id, last_name, id);
CREATE INDEX worker_tenant_id_status_id_idx ON app.worker (tenant_id, status, id);
ALTER TABLE app.worker ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.worker FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_isolation ON app.worker FOR ALL TO bo_app, bo_export USING (tenant_id = app.current_tenant()) WITH CHECK (tenant_id = app.current_tenant());
GRANT SELECT, INSERT, UPDATE, DELETE ON app.worker TO bo_app;
GRANT SELECT ON app.worker TO bo_export;

CREATE TABLE app.api_key (
	tenant_id UUID NOT NULL, 
	id UUID DEFAULT uuidv7() NOT NULL, 
	person_id UUID NOT NULL, 
	name TEXT NOT NULL, 
	kind TEXT NOT NULL CONSTRAINT api_key_kind_check CHECK (kind IN ('sk', 'rk', 'pk')), 
	hint TEXT NOT NULL, 
	scopes JSONB NOT NULL, 
	allowed_ips JSONB DEFAULT '[]'::jsonb NOT NULL, 
	not_after TIMESTAMP WITH TIME ZONE, 
	revoked_at TIMESTAMP WITH TIME ZONE, 
	external_id TEXT CONSTRAINT api_key_external_id_check CHECK (length(external_id) <= 128), 
	metadata JSONB DEFAULT '{}'::jsonb NOT NULL, 
	version BIGINT DEFAULT 1 NOT NULL, 
	created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	updated_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	CONSTRAINT api_key_pkey PRIMARY KEY (tenant_id, id), 
	CONSTRAINT api_key_tenant_id_external_id_key UNIQUE (tenant_id, external_id), 
	CONSTRAINT api_key_tenant_id_person_id_fkey FOREIGN KEY(tenant_id, person_id) REFERENCES app.person (tenant_id, id)
);
CREATE INDEX api_key_tenant_id_person_id_idx ON app.api_key (tenant_id, person_id);
ALTER TABLE app.api_key ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.api_key FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_isolation ON app.api_key FOR ALL TO bo_app, bo_export USING (tenant_id = app.current_tenant()) WITH CHECK (tenant_id = app.current_tenant());
GRANT SELECT, INSERT, UPDATE, DELETE ON app.api_key TO bo_app;
GRANT SELECT ON app.api_key TO bo_export;

CREATE TABLE app.assignment (
	tenant_id UUID NOT NULL, 
	id UUID DEFAULT uuidv7() NOT NULL, 
	worker_id UUID NOT NULL, 
	client_id UUID NOT NULL, 
	job_title TEXT NOT NULL, 
	pay_rate_micros BIGINT NOT NULL, 
	bill_rate_micros BIGINT NOT NULL, 
	work_state TEXT NOT NULL, 
	work_city TEXT NOT NULL, 
	work_postal_code TEXT NOT NULL, 
	work_locality TEXT, 
	started_on DATE NOT NULL, 
	ended_on DATE, 
	status TEXT DEFAULT 'active' NOT NULL CONSTRAINT assignment_status_check CHECK (status IN ('active', 'ended')), 
	external_id TEXT CONSTRAINT assignment_external_id_check CHECK (length(external_id) <= 128), 
	metadata JSONB DEFAULT '{}'::jsonb NOT NULL, 
	version BIGINT DEFAULT 1 NOT NULL, 
	created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	updated_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	CONSTRAINT assignment_pkey PRIMARY KEY (tenant_id, id), 
	CONSTRAINT assignment_rates_check CHECK (pay_rate_micros > 0 AND bill_rate_micros >= 0), 
	CONSTRAINT assignment_ended_on_check CHECK (ended_on >= started_on), 
	CONSTRAINT assignment_ended_check CHECK (status <> 'ended' OR ended_on IS NOT NULL), 
	CONSTRAINT assignment_tenant_id_external_id_key UNIQUE (tenant_id, external_id), 
	CONSTRAINT assignment_tenant_id_worker_id_fkey FOREIGN KEY(tenant_id, worker_id) REFERENCES app.worker (tenant_id, id), 
	CONSTRAINT assignment_tenant_id_client_id_fkey FOREIGN KEY(tenant_id, client_id) REFERENCES app.client (tenant_id, id)
);
CREATE INDEX assignment_tenant_id_client_id_idx ON app.assignment (tenant_id, client_id);
CREATE INDEX assignment_tenant_id_status_id_idx ON app.assignment (tenant_id, status, id);
CREATE INDEX assignment_tenant_id_worker_id_idx ON app.assignment (tenant_id, worker_id);
ALTER TABLE app.assignment ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.assignment FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_isolation ON app.assignment FOR ALL TO bo_app, bo_export USING (tenant_id = app.current_tenant()) WITH CHECK (tenant_id = app.current_tenant());
GRANT SELECT, INSERT, UPDATE, DELETE ON app.assignment TO bo_app;
GRANT SELECT ON app.assignment TO bo_export;

CREATE TABLE app.bank_account (
	tenant_id UUID NOT NULL, 
	id UUID DEFAULT uuidv7() NOT NULL, 
	worker_id UUID NOT NULL, 
	routing_number TEXT NOT NULL, 
	account_sealed BYTEA NOT NULL, 
	account_bidx BYTEA NOT NULL, 
	account_last4 TEXT NOT NULL, 
	kind TEXT NOT NULL CONSTRAINT bank_account_kind_check CHECK (kind IN ('checking', 'savings')), 
	holder_name TEXT NOT NULL, 
	status TEXT DEFAULT 'active' NOT NULL CONSTRAINT bank_account_status_check CHECK (status IN ('active', 'closed')), 
	created_by TEXT NOT NULL, 
	closed_at TIMESTAMP WITH TIME ZONE, 
	external_id TEXT CONSTRAINT bank_account_external_id_check CHECK (length(external_id) <= 128), 
	metadata JSONB DEFAULT '{}'::jsonb NOT NULL, 
	version BIGINT DEFAULT 1 NOT NULL, 
	created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	updated_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	CONSTRAINT bank_account_pkey PRIMARY KEY (tenant_id, id), 
	CONSTRAINT bank_account_closed_check CHECK ((closed_at IS NOT NULL) = (status = 'closed')), 
	CONSTRAINT bank_account_tenant_id_external_id_key UNIQUE (tenant_id, external_id), 
	CONSTRAINT bank_account_tenant_id_worker_id_fkey FOREIGN KEY(tenant_id, worker_id) REFERENCES app.worker (tenant_id, id)
);
CREATE UNIQUE INDEX bank_account_active_key ON app.bank_account (tenant_id, worker_id) WHERE status = 'active';
CREATE INDEX bank_account_tenant_id_account_bidx_idx ON app.bank_account (tenant_id, account_bidx);
CREATE INDEX bank_account_tenant_id_worker_id_idx ON app.bank_account (tenant_id, worker_id);
ALTER TABLE app.bank_account ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.bank_account FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_isolation ON app.bank_account FOR ALL TO bo_app, bo_export USING (tenant_id = app.current_tenant()) WITH CHECK (tenant_id = app.current_tenant());
GRANT SELECT, INSERT, UPDATE, DELETE ON app.bank_account TO bo_app;
GRANT SELECT ON app.bank_account TO bo_export;

CREATE TABLE app.bulk_job (
	tenant_id UUID NOT NULL, 
	id UUID DEFAULT uuidv7() NOT NULL, 
	operation TEXT NOT NULL, 
	format TEXT NOT NULL CONSTRAINT bulk_job_format_check CHECK (format IN ('csv')), 
	status TEXT DEFAULT 'created' NOT NULL CONSTRAINT bulk_job_status_check CHECK (status IN ('created', 'queued', 'running', 'succeeded', 'failed', 'canceled')), 
	dry_run BOOLEAN DEFAULT false NOT NULL, 
	job_id UUID, 
	sent_by UUID, 
	header JSONB, 
	total INTEGER DEFAULT 0 NOT NULL, 
	created INTEGER DEFAULT 0 NOT NULL, 
	updated INTEGER DEFAULT 0 NOT NULL, 
	unchanged INTEGER DEFAULT 0 NOT NULL, 
	failed INTEGER DEFAULT 0 NOT NULL, 
	effects JSONB DEFAULT '[]'::jsonb NOT NULL, 
	problem JSONB, 
	finished_at TIMESTAMP WITH TIME ZONE, 
	external_id TEXT CONSTRAINT bulk_job_external_id_check CHECK (length(external_id) <= 128), 
	metadata JSONB DEFAULT '{}'::jsonb NOT NULL, 
	version BIGINT DEFAULT 1 NOT NULL, 
	created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	updated_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	CONSTRAINT bulk_job_pkey PRIMARY KEY (tenant_id, id), 
	CONSTRAINT bulk_job_finished_check CHECK ((finished_at IS NOT NULL) = (status IN ('succeeded', 'failed', 'canceled'))), 
	CONSTRAINT bulk_job_job_check CHECK (status = 'created' OR job_id IS NOT NULL), 
	CONSTRAINT bulk_job_tenant_id_external_id_key UNIQUE (tenant_id, external_id), 
	CONSTRAINT bulk_job_tenant_id_sent_by_fkey FOREIGN KEY(tenant_id, sent_by) REFERENCES app.person (tenant_id, id)
);
CREATE INDEX bulk_job_tenant_id_sent_by_idx ON app.bulk_job (tenant_id, sent_by) WHERE sent_by IS NOT NULL;
CREATE INDEX bulk_job_tenant_id_status_id_idx ON app.bulk_job (tenant_id, status, id);
ALTER TABLE app.bulk_job ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.bulk_job FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_isolation ON app.bulk_job FOR ALL TO bo_app, bo_export USING (tenant_id = app.current_tenant()) WITH CHECK (tenant_id = app.current_tenant());
GRANT SELECT, INSERT, UPDATE, DELETE ON app.bulk_job TO bo_app;
GRANT SELECT ON app.bulk_job TO bo_export;

CREATE TABLE app.deduction (
	tenant_id UUID NOT NULL, 
	id UUID DEFAULT uuidv7() NOT NULL, 
	worker_id UUID NOT NULL, 
	code TEXT NOT NULL, 
	amount_minor BIGINT, 
	percent_millionths INTEGER, 
	effective_from DATE NOT NULL, 
	effective_until DATE, 
	total_goal_minor BIGINT, 
	yearly_goal_minor BIGINT, 
	external_id TEXT CONSTRAINT deduction_external_id_check CHECK (length(external_id) <= 128), 
	metadata JSONB DEFAULT '{}'::jsonb NOT NULL, 
	version BIGINT DEFAULT 1 NOT NULL, 
	created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	updated_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	CONSTRAINT deduction_pkey PRIMARY KEY (tenant_id, id), 
	CONSTRAINT deduction_measure_check CHECK (num_nonnulls(amount_minor, percent_millionths) = 1 AND amount_minor >= 0 AND percent_millionths BETWEEN 0 AND 1000000), 
	CONSTRAINT deduction_effective_until_check CHECK (effective_until >= effective_from), 
	CONSTRAINT deduction_goals_check CHECK (total_goal_minor > 0 AND yearly_goal_minor > 0), 
	CONSTRAINT deduction_tenant_id_external_id_key UNIQUE (tenant_id, external_id), 
	CONSTRAINT deduction_tenant_id_worker_id_fkey FOREIGN KEY(tenant_id, worker_id) REFERENCES app.worker (tenant_id, id)
);
CREATE INDEX deduction_tenant_id_worker_id_effective_from_id_idx ON app.deduction (tenant_id, worker_id, effective_from, id);
ALTER TABLE app.deduction ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.deduction FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_isolation ON app.deduction FOR ALL TO bo_app, bo_export USING (tenant_id = app.current_tenant()) WITH CHECK (tenant_id = app.current_tenant());
GRANT SELECT, INSERT, UPDATE, DELETE ON app.deduction TO bo_app;
GRANT SELECT ON app.deduction TO bo_export;

CREATE TABLE app.document_link (
	tenant_id UUID NOT NULL, 
	id UUID DEFAULT uuidv7() NOT NULL, 
	document_id UUID NOT NULL, 
	created_by TEXT NOT NULL, 
	created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	expires_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	used_at TIMESTAMP WITH TIME ZONE, 
	CONSTRAINT document_link_pkey PRIMARY KEY (tenant_id, id), 
	CONSTRAINT document_link_tenant_id_document_id_fkey FOREIGN KEY(tenant_id, document_id) REFERENCES app.document (tenant_id, id)
);
CREATE INDEX document_link_tenant_id_document_id_idx ON app.document_link (tenant_id, document_id);
ALTER TABLE app.document_link ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.document_link FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_isolation ON app.document_link FOR ALL TO bo_app, bo_export USING (tenant_id = app.current_tenant()) WITH CHECK (tenant_id = app.current_tenant());
GRANT SELECT, INSERT, UPDATE, DELETE ON app.document_link TO bo_app;
GRANT SELECT ON app.document_link TO bo_export;

CREATE TABLE app.employment (
	tenant_id UUID NOT NULL, 
	id UUID DEFAULT uuidv7() NOT NULL, 
	worker_id UUID NOT NULL, 
	employer_id UUID NOT NULL, 
	pay_schedule_id UUID NOT NULL, 
	job_title TEXT, 
	hired_on DATE NOT NULL, 
	ended_on DATE, 
	external_id TEXT CONSTRAINT employment_external_id_check CHECK (length(external_id) <= 128), 
	metadata JSONB DEFAULT '{}'::jsonb NOT NULL, 
	version BIGINT DEFAULT 1 NOT NULL, 
	created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	updated_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	CONSTRAINT employment_pkey PRIMARY KEY (tenant_id, id), 
	CONSTRAINT employment_ended_on_check CHECK (ended_on >= hired_on), 
	CONSTRAINT employment_tenant_id_external_id_key UNIQUE (tenant_id, external_id), 
	CONSTRAINT employment_tenant_id_worker_id_fkey FOREIGN KEY(tenant_id, worker_id) REFERENCES app.worker (tenant_id, id), 
	CONSTRAINT employment_tenant_id_employer_id_fkey FOREIGN KEY(tenant_id, employer_id) REFERENCES app.employer (tenant_id, id), 
	CONSTRAINT employment_tenant_id_pay_schedule_id_fkey FOREIGN KEY(tenant_id, pay_schedule_id) REFERENCES app.pay_schedule (tenant_id, id)
);
CREATE UNIQUE INDEX employment_open_key ON app.employment (tenant_id, worker_id, employer_id) WHERE ended_on IS NULL;
CREATE INDEX employment_tenant_id_employer_id_idx ON app.employment (tenant_id, employer_id);
CREATE INDEX employment_tenant_id_pay_schedule_id_idx ON app.employment (tenant_id, pay_schedule_id);
CREATE INDEX employment_tenant_id_worker_id_idx ON app.employment (tenant_id, worker_id);
ALTER TABLE app.employment ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.employment FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_isolation ON app.employment FOR ALL TO bo_app, bo_export USING (tenant_id = app.current_tenant()) WITH CHECK (tenant_id = app.current_tenant());
GRANT SELECT, INSERT, UPDATE, DELETE ON app.employment TO bo_app;
GRANT SELECT ON app.employment TO bo_export;

CREATE TABLE app.job_log (
	tenant_id UUID NOT NULL, 
	id UUID DEFAULT uuidv7() NOT NULL, 
	job_id UUID NOT NULL, 
	fence BIGINT NOT NULL, 
	at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL, 
	outcome TEXT CONSTRAINT job_log_outcome_check CHECK (outcome IN ('retried', 'failed', 'canceled', 'crashed', 'given_back', 'waiting')), 
	error_code TEXT, 
	started_at TIMESTAMP WITH TIME ZONE, 
	worker TEXT, 
	said TEXT, 
	CONSTRAINT job_log_pkey PRIMARY KEY (tenant_id, id), 
	CONSTRAINT job_log_said_check CHECK ((outcome IS NULL) = (said IS NOT NULL)), 
	CONSTRAINT job_log_tenant_id_job_id_fkey FOREIGN KEY(tenant_id, job_id) REFERENCES app.job (tenant_id, id)
);
CREATE INDEX job_log_tenant_id_job_id_idx ON app.job_log (tenant_id, job_id);
ALTER TABLE app.job_log ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.job_log FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_isolation ON app.job_log FOR ALL TO bo_app, bo_export USING (tenant_id = app.current_tenant()) WITH CHECK (tenant_id = app.current_tenant());
GRANT SELECT, INSERT, UPDATE, DELETE ON app.job_log TO bo_app;
GRANT SELECT ON app.job_log TO bo_export;
CREATE POLICY dispatch ON app.job_log FOR ALL TO bo_dispatch USING (true) WITH CHECK (true);
GRANT INSERT (tenant_id, job_id, fence, outcome, started_at, worker) ON app.job_log TO bo_dispatch;

CREATE TABLE app.job_step (
	tenant_id UUID NOT NULL, 
	job_id UUID NOT NULL, 
	name TEXT NOT NULL, 
	result JSONB, 
	finished_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL, 
	CONSTRAINT job_step_pkey PRIMARY KEY (tenant_id, job_id, name), 
	CONSTRAINT job_step_tenant_id_job_id_fkey FOREIGN KEY(tenant_id, job_id) REFERENCES app.job (tenant_id, id)
);
ALTER TABLE app.job_step ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.job_step FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_isolation ON app.job_step FOR ALL TO bo_app, bo_export USING (tenant_id = app.current_tenant()) WITH CHECK (tenant_id = app.current_tenant());
GRANT SELECT, INSERT, UPDATE, DELETE ON app.job_step TO bo_app;
GRANT SELECT ON app.job_step TO bo_export;

CREATE TABLE app.ledger_entry (
	tenant_id UUID NOT NULL, 
	id UUID DEFAULT uuidv7() NOT NULL, 
	transaction_id UUID NOT NULL, 
	line SMALLINT NOT NULL CONSTRAINT ledger_entry_line_check CHECK (line >= 1), 
	account_id UUID NOT NULL, 
	amount_minor BIGINT NOT NULL CONSTRAINT ledger_entry_amount_minor_check CHECK (amount_minor <> 0), 
	currency TEXT NOT NULL CONSTRAINT ledger_entry_currency_check CHECK (currency ~ '^[A-Z]{3}$'), 
	effective_date DATE NOT NULL, 
	memo TEXT, 
	CONSTRAINT ledger_entry_pkey PRIMARY KEY (tenant_id, id), 
	CONSTRAINT ledger_entry_tenant_id_transaction_id_line_key UNIQUE (tenant_id, transaction_id, line), 
	CONSTRAINT ledger_entry_tenant_id_transaction_id_fkey FOREIGN KEY(tenant_id, transaction_id) REFERENCES app.ledger_transaction (tenant_id, id), 
	CONSTRAINT ledger_entry_tenant_id_account_id_fkey FOREIGN KEY(tenant_id, account_id) REFERENCES app.ledger_account (tenant_id, id)
);
CREATE INDEX ledger_entry_tenant_id_account_id_effective_date_idx ON app.ledger_entry (tenant_id, account_id, effective_date);
ALTER TABLE app.ledger_entry ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.ledger_entry FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_isolation ON app.ledger_entry FOR ALL TO bo_app, bo_export USING (tenant_id = app.current_tenant()) WITH CHECK (tenant_id = app.current_tenant());
GRANT SELECT, INSERT ON app.ledger_entry TO bo_app;
GRANT SELECT ON app.ledger_entry TO bo_export;
CREATE POLICY reset ON app.ledger_entry FOR ALL TO bo_reset USING (tenant_id = ctl.test_tenant()) WITH CHECK (false);
GRANT SELECT (tenant_id), DELETE ON app.ledger_entry TO bo_reset;

CREATE TABLE app.opening_balance (
	tenant_id UUID NOT NULL, 
	id UUID DEFAULT uuidv7() NOT NULL, 
	worker_id UUID NOT NULL, 
	employer_id UUID NOT NULL, 
	year SMALLINT NOT NULL, 
	gross_minor BIGINT DEFAULT 0 NOT NULL, 
	social_security_wages_minor BIGINT DEFAULT 0 NOT NULL, 
	medicare_wages_minor BIGINT DEFAULT 0 NOT NULL, 
	futa_wages_minor BIGINT DEFAULT 0 NOT NULL, 
	elective_deferrals_minor BIGINT DEFAULT 0 NOT NULL, 
	external_id TEXT CONSTRAINT opening_balance_external_id_check CHECK (length(external_id) <= 128), 
	metadata JSONB DEFAULT '{}'::jsonb NOT NULL, 
	version BIGINT DEFAULT 1 NOT NULL, 
	created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	updated_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	CONSTRAINT opening_balance_pkey PRIMARY KEY (tenant_id, id), 
	CONSTRAINT opening_balance_wages_check CHECK (gross_minor >= 0 AND social_security_wages_minor >= 0 AND futa_wages_minor >= 0 AND elective_deferrals_minor >= 0 AND medicare_wages_minor >= social_security_wages_minor), 
	CONSTRAINT opening_balance_tenant_id_worker_id_employer_id_year_key UNIQUE (tenant_id, worker_id, employer_id, year), 
	CONSTRAINT opening_balance_tenant_id_external_id_key UNIQUE (tenant_id, external_id), 
	CONSTRAINT opening_balance_tenant_id_worker_id_fkey FOREIGN KEY(tenant_id, worker_id) REFERENCES app.worker (tenant_id, id), 
	CONSTRAINT opening_balance_tenant_id_employer_id_fkey FOREIGN KEY(tenant_id, employer_id) REFERENCES app.employer (tenant_id, id)
);
CREATE INDEX opening_balance_tenant_id_employer_id_idx ON app.opening_balance (tenant_id, employer_id);
ALTER TABLE app.opening_balance ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.opening_balance FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_isolation ON app.opening_balance FOR ALL TO bo_app, bo_export USING (tenant_id = app.current_tenant()) WITH CHECK (tenant_id = app.current_tenant());
GRANT SELECT, INSERT, UPDATE, DELETE ON app.opening_balance TO bo_app;
GRANT SELECT ON app.opening_balance TO bo_export;

CREATE TABLE app.tax_election (
	tenant_id UUID NOT NULL, 
	id UUID DEFAULT uuidv7() NOT NULL, 
	worker_id UUID NOT NULL, 
	jurisdiction TEXT NOT NULL, 
	effective_from DATE NOT NULL, 
	signed_on DATE, 
	w4_version TEXT CONSTRAINT tax_election_w4_version_check CHECK (w4_version IN ('2020_or_later', '2019_or_earlier')), 
	filing_status TEXT CONSTRAINT tax_election_filing_status_check CHECK (filing_status IN ('single', 'married_filing_jointly', 'married_filing_separately', 'head_of_household')), 
	step2_checkbox BOOLEAN DEFAULT false NOT NULL, 
	step3_minor BIGINT DEFAULT 0 NOT NULL, 
	step4a_minor BIGINT DEFAULT 0 NOT NULL, 
	step4b_minor BIGINT DEFAULT 0 NOT NULL, 
	step4c_minor BIGINT DEFAULT 0 NOT NULL, 
	exempt BOOLEAN DEFAULT false NOT NULL, 
	nonresident_alien BOOLEAN DEFAULT false NOT NULL, 
	state_status TEXT, 
	allowances SMALLINT DEFAULT 0 NOT NULL, 
	secondary_allowances SMALLINT DEFAULT 0 NOT NULL, 
	dependent SMALLINT, 
	first_time_dependent SMALLINT, 
	adopted SMALLINT, 
	elected_rate_millionths INTEGER, 
	local_rate_millionths INTEGER, 
	county_rate_millionths INTEGER, 
	elected_annual_credit_minor BIGINT, 
	elected_annual_exemption_minor BIGINT, 
	additional_withholding_minor BIGINT, 
	external_id TEXT CONSTRAINT tax_election_external_id_check CHECK (length(external_id) <= 128), 
	metadata JSONB DEFAULT '{}'::jsonb NOT NULL, 
	version BIGINT DEFAULT 1 NOT NULL, 
	created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	updated_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	CONSTRAINT tax_election_pkey PRIMARY KEY (tenant_id, id), 
	CONSTRAINT tax_election_form_check CHECK ((jurisdiction = 'US') = (w4_version IS NOT NULL) AND (jurisdiction = 'US') = (filing_status IS NOT NULL) AND (jurisdiction <> 'US' OR (state_status IS NULL AND secondary_allowances = 0 AND num_nonnulls(dependent, first_time_dependent, adopted, elected_rate_millionths, local_rate_millionths, county_rate_millionths, elected_annual_credit_minor, elected_annual_exemption_minor, additional_withholding_minor) = 0))), 
	CONSTRAINT tax_election_jurisdiction_check CHECK (length(jurisdiction) = 2), 
	CONSTRAINT tax_election_amounts_check CHECK (step3_minor >= 0 AND step4a_minor >= 0 AND step4b_minor >= 0 AND step4c_minor >= 0 AND allowances >= 0 AND secondary_allowances >= 0 AND dependent >= 0 AND first_time_dependent >= 0 AND adopted >= 0 AND elected_rate_millionths >= 0 AND local_rate_millionths >= 0 AND county_rate_millionths >= 0 AND elected_annual_credit_minor >= 0 AND elected_annual_exemption_minor >= 0 AND additional_withholding_minor >= 0), 
	CONSTRAINT tax_election_tenant_id_external_id_key UNIQUE (tenant_id, external_id), 
	CONSTRAINT tax_election_tenant_id_worker_id_fkey FOREIGN KEY(tenant_id, worker_id) REFERENCES app.worker (tenant_id, id)
);
CREATE INDEX tax_election_tenant_id_worker_id_jurisdiction_effective_7d9a ON app.tax_election (tenant_id, worker_id, jurisdiction, effective_from, id);
ALTER TABLE app.tax_election ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.tax_election FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_isolation ON app.tax_election FOR ALL TO bo_app, bo_export USING (tenant_id = app.current_tenant()) WITH CHECK (tenant_id = app.current_tenant());
GRANT SELECT, INSERT ON app.tax_election TO bo_app;
GRANT SELECT ON app.tax_election TO bo_export;
CREATE POLICY reset ON app.tax_election FOR ALL TO bo_reset USING (tenant_id = ctl.test_tenant()) WITH CHECK (false);
GRANT SELECT (tenant_id), DELETE ON app.tax_election TO bo_reset;

CREATE TABLE app.webhook_delivery (
	tenant_id UUID NOT NULL, 
	id UUID DEFAULT uuidv7() NOT NULL, 
	endpoint_id UUID NOT NULL, 
	event_id UUID NOT NULL, 
	sequence BIGINT NOT NULL, 
	object_key UUID NOT NULL, 
	state TEXT NOT NULL CONSTRAINT webhook_delivery_state_check CHECK (state IN ('ready', 'leased', 'retry_wait', 'held', 'delivered', 'failed', 'canceled')), 
	turn TEXT DEFAULT 'fresh' NOT NULL CONSTRAINT webhook_delivery_turn_check CHECK (turn IN ('fresh', 'late', 'again')), 
	attempt SMALLINT DEFAULT 0 NOT NULL, 
	fence BIGINT DEFAULT 0 NOT NULL, 
	lease_until TIMESTAMP WITH TIME ZONE, 
	worker TEXT, 
	run_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL, 
	finished_at TIMESTAMP WITH TIME ZONE, 
	created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	CONSTRAINT webhook_delivery_pkey PRIMARY KEY (tenant_id, id), 
	CONSTRAINT webhook_delivery_lease_check CHECK ((lease_until IS NOT NULL) = (state = 'leased')), 
	CONSTRAINT webhook_delivery_worker_check CHECK ((worker IS NOT NULL) = (state = 'leased')), 
	CONSTRAINT webhook_delivery_finished_check CHECK ((finished_at IS NOT NULL) = (state IN ('delivered', 'failed', 'canceled'))), 
	CONSTRAINT webhook_delivery_tenant_id_event_id_endpoint_id_key UNIQUE (tenant_id, event_id, endpoint_id), 
	CONSTRAINT webhook_delivery_tenant_id_endpoint_id_sequence_key UNIQUE (tenant_id, endpoint_id, sequence), 
	CONSTRAINT webhook_delivery_tenant_id_endpoint_id_fkey FOREIGN KEY(tenant_id, endpoint_id) REFERENCES app.webhook_endpoint (tenant_id, id), 
	CONSTRAINT webhook_delivery_tenant_id_event_id_fkey FOREIGN KEY(tenant_id, event_id) REFERENCES app.event (tenant_id, id)
);
CREATE INDEX webhook_delivery_due_idx ON app.webhook_delivery (tenant_id, endpoint_id, run_at, sequence) WHERE state IN ('ready', 'retry_wait') AND turn = 'fresh';
CREATE INDEX webhook_delivery_lease_idx ON app.webhook_delivery (tenant_id, lease_until) WHERE state = 'leased';
CREATE INDEX webhook_delivery_order_idx ON app.webhook_delivery (tenant_id, endpoint_id, object_key, sequence) WHERE state IN ('ready', 'leased', 'retry_wait');
CREATE INDEX webhook_delivery_replay_idx ON app.webhook_delivery (tenant_id, endpoint_id, run_at, sequence) WHERE state IN ('ready', 'retry_wait') AND turn <> 'fresh';
CREATE INDEX webhook_delivery_stopped_idx ON app.webhook_delivery (tenant_id, endpoint_id, sequence) WHERE state IN ('held', 'failed');
ALTER TABLE app.webhook_delivery ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.webhook_delivery FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_isolation ON app.webhook_delivery FOR ALL TO bo_app, bo_export USING (tenant_id = app.current_tenant()) WITH CHECK (tenant_id = app.current_tenant());
GRANT SELECT, INSERT, UPDATE, DELETE ON app.webhook_delivery TO bo_app;
GRANT SELECT ON app.webhook_delivery TO bo_export;
CREATE POLICY dispatch ON app.webhook_delivery FOR ALL TO bo_dispatch USING (true) WITH CHECK (true);
GRANT SELECT (id, tenant_id, endpoint_id, event_id, object_key, sequence, state, run_at, attempt, fence, lease_until, worker, finished_at, turn) ON app.webhook_delivery TO bo_dispatch;
GRANT UPDATE (state, attempt, fence, lease_until, worker, run_at, finished_at) ON app.webhook_delivery TO bo_dispatch;

CREATE TABLE app.webhook_digest (
	tenant_id UUID NOT NULL, 
	id UUID DEFAULT uuidv7() NOT NULL, 
	endpoint_id UUID NOT NULL, 
	day DATE NOT NULL, 
	first_sequence BIGINT, 
	last_sequence BIGINT NOT NULL, 
	count BIGINT NOT NULL, 
	hash TEXT NOT NULL, 
	previous_hash TEXT NOT NULL, 
	created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	CONSTRAINT webhook_digest_pkey PRIMARY KEY (tenant_id, id), 
	CONSTRAINT webhook_digest_first_check CHECK ((first_sequence IS NULL) = (count = 0)), 
	CONSTRAINT webhook_digest_count_check CHECK (count = 0 OR count = last_sequence - first_sequence + 1), 
	CONSTRAINT webhook_digest_tenant_id_endpoint_id_day_key UNIQUE (tenant_id, endpoint_id, day), 
	CONSTRAINT webhook_digest_tenant_id_endpoint_id_fkey FOREIGN KEY(tenant_id, endpoint_id) REFERENCES app.webhook_endpoint (tenant_id, id)
);
ALTER TABLE app.webhook_digest ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.webhook_digest FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_isolation ON app.webhook_digest FOR ALL TO bo_app, bo_export USING (tenant_id = app.current_tenant()) WITH CHECK (tenant_id = app.current_tenant());
GRANT SELECT, INSERT ON app.webhook_digest TO bo_app;
GRANT SELECT ON app.webhook_digest TO bo_export;
CREATE POLICY reset ON app.webhook_digest FOR ALL TO bo_reset USING (tenant_id = ctl.test_tenant()) WITH CHECK (false);
GRANT SELECT (tenant_id), DELETE ON app.webhook_digest TO bo_reset;

CREATE TABLE app.withholding_order (
	tenant_id UUID NOT NULL, 
	id UUID DEFAULT uuidv7() NOT NULL, 
	worker_id UUID NOT NULL, 
	kind TEXT NOT NULL, 
	case_number_sealed BYTEA NOT NULL, 
	case_number_last4 TEXT NOT NULL, 
	payee_name TEXT, 
	amount_minor BIGINT, 
	percent_millionths INTEGER, 
	supports_other_family BOOLEAN DEFAULT false NOT NULL, 
	arrears_over_12_weeks BOOLEAN DEFAULT false NOT NULL, 
	dependents SMALLINT, 
	served_on DATE NOT NULL, 
	effective_from DATE NOT NULL, 
	effective_until DATE, 
	external_id TEXT CONSTRAINT withholding_order_external_id_check CHECK (length(external_id) <= 128), 
	metadata JSONB DEFAULT '{}'::jsonb NOT NULL, 
	version BIGINT DEFAULT 1 NOT NULL, 
	created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	updated_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	CONSTRAINT withholding_order_pkey PRIMARY KEY (tenant_id, id), 
	CONSTRAINT withholding_order_measure_check CHECK (num_nonnulls(amount_minor, percent_millionths) <= 1 AND amount_minor >= 0 AND percent_millionths BETWEEN 0 AND 1000000), 
	CONSTRAINT withholding_order_dependents_check CHECK (dependents >= 0), 
	CONSTRAINT withholding_order_effective_check CHECK (effective_from >= served_on AND effective_until >= effective_from), 
	CONSTRAINT withholding_order_tenant_id_external_id_key UNIQUE (tenant_id, external_id), 
	CONSTRAINT withholding_order_tenant_id_worker_id_fkey FOREIGN KEY(tenant_id, worker_id) REFERENCES app.worker (tenant_id, id)
);
CREATE INDEX withholding_order_tenant_id_worker_id_effective_from_id_idx ON app.withholding_order (tenant_id, worker_id, effective_from, id);
ALTER TABLE app.withholding_order ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.withholding_order FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_isolation ON app.withholding_order FOR ALL TO bo_app, bo_export USING (tenant_id = app.current_tenant()) WITH CHECK (tenant_id = app.current_tenant());
GRANT SELECT, INSERT, UPDATE, DELETE ON app.withholding_order TO bo_app;
GRANT SELECT ON app.withholding_order TO bo_export;

CREATE TABLE app.year_to_date (
	tenant_id UUID NOT NULL, 
	employer_id UUID NOT NULL, 
	worker_id UUID NOT NULL, 
	year SMALLINT NOT NULL, 
	kind TEXT NOT NULL CONSTRAINT year_to_date_kind_check CHECK (kind IN ('employee_tax', 'employer_tax', 'deduction', 'garnishment')), 
	code TEXT NOT NULL, 
	jurisdiction TEXT NOT NULL, 
	wages_minor BIGINT NOT NULL, 
	amount_minor BIGINT NOT NULL, 
	CONSTRAINT year_to_date_pkey PRIMARY KEY (tenant_id, employer_id, worker_id, year, kind, code, jurisdiction), 
	CONSTRAINT year_to_date_tenant_id_employer_id_fkey FOREIGN KEY(tenant_id, employer_id) REFERENCES app.employer (tenant_id, id), 
	CONSTRAINT year_to_date_tenant_id_worker_id_fkey FOREIGN KEY(tenant_id, worker_id) REFERENCES app.worker (tenant_id, id)
);
CREATE INDEX year_to_date_tenant_id_worker_id_idx ON app.year_to_date (tenant_id, worker_id);
ALTER TABLE app.year_to_date ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.year_to_date FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_isolation ON app.year_to_date FOR ALL TO bo_app, bo_export USING (tenant_id = app.current_tenant()) WITH CHECK (tenant_id = app.current_tenant());
GRANT SELECT, INSERT, UPDATE, DELETE ON app.year_to_date TO bo_app;
GRANT SELECT ON app.year_to_date TO bo_export;

CREATE TABLE app.bulk_row (
	tenant_id UUID NOT NULL, 
	id UUID DEFAULT uuidv7() NOT NULL, 
	bulk_job_id UUID NOT NULL, 
	number INTEGER NOT NULL, 
	status TEXT NOT NULL CONSTRAINT bulk_row_status_check CHECK (status IN ('succeeded', 'failed')), 
	outcome TEXT, 
	object_id TEXT, 
	errors JSONB DEFAULT '[]'::jsonb NOT NULL, 
	cells_sealed BYTEA, 
	CONSTRAINT bulk_row_pkey PRIMARY KEY (tenant_id, id), 
	CONSTRAINT bulk_row_tenant_id_bulk_job_id_number_key UNIQUE (tenant_id, bulk_job_id, number), 
	CONSTRAINT bulk_row_tenant_id_bulk_job_id_fkey FOREIGN KEY(tenant_id, bulk_job_id) REFERENCES app.bulk_job (tenant_id, id)
);
CREATE INDEX bulk_row_tenant_id_bulk_job_id_status_id_idx ON app.bulk_row (tenant_id, bulk_job_id, status, id);
ALTER TABLE app.bulk_row ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.bulk_row FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_isolation ON app.bulk_row FOR ALL TO bo_app, bo_export USING (tenant_id = app.current_tenant()) WITH CHECK (tenant_id = app.current_tenant());
GRANT SELECT, INSERT, UPDATE, DELETE ON app.bulk_row TO bo_app;
GRANT SELECT ON app.bulk_row TO bo_export;

CREATE TABLE app.bulk_upload (
	tenant_id UUID NOT NULL, 
	bulk_job_id UUID NOT NULL, 
	part SMALLINT NOT NULL, 
	content BYTEA NOT NULL, 
	CONSTRAINT bulk_upload_pkey PRIMARY KEY (tenant_id, bulk_job_id, part), 
	CONSTRAINT bulk_upload_content_check CHECK (octet_length(content) <= 1048576), 
	CONSTRAINT bulk_upload_tenant_id_bulk_job_id_fkey FOREIGN KEY(tenant_id, bulk_job_id) REFERENCES app.bulk_job (tenant_id, id)
);
ALTER TABLE app.bulk_upload ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.bulk_upload FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_isolation ON app.bulk_upload FOR ALL TO bo_app, bo_export USING (tenant_id = app.current_tenant()) WITH CHECK (tenant_id = app.current_tenant());
GRANT SELECT, INSERT, UPDATE, DELETE ON app.bulk_upload TO bo_app;
GRANT SELECT ON app.bulk_upload TO bo_export;

CREATE TABLE app.opening_balance_programme (
	tenant_id UUID NOT NULL, 
	opening_balance_id UUID NOT NULL, 
	code TEXT NOT NULL, 
	wages_minor BIGINT DEFAULT 0 NOT NULL, 
	amount_minor BIGINT DEFAULT 0 NOT NULL, 
	CONSTRAINT opening_balance_programme_pkey PRIMARY KEY (tenant_id, opening_balance_id, code), 
	CONSTRAINT opening_balance_programme_amounts_check CHECK (wages_minor >= 0 AND amount_minor >= 0), 
	CONSTRAINT opening_balance_programme_tenant_id_opening_balance_id_fkey FOREIGN KEY(tenant_id, opening_balance_id) REFERENCES app.opening_balance (tenant_id, id)
);
ALTER TABLE app.opening_balance_programme ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.opening_balance_programme FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_isolation ON app.opening_balance_programme FOR ALL TO bo_app, bo_export USING (tenant_id = app.current_tenant()) WITH CHECK (tenant_id = app.current_tenant());
GRANT SELECT, INSERT, UPDATE, DELETE ON app.opening_balance_programme TO bo_app;
GRANT SELECT ON app.opening_balance_programme TO bo_export;

CREATE TABLE app.opening_balance_state (
	tenant_id UUID NOT NULL, 
	opening_balance_id UUID NOT NULL, 
	state TEXT NOT NULL, 
	wages_minor BIGINT NOT NULL, 
	CONSTRAINT opening_balance_state_pkey PRIMARY KEY (tenant_id, opening_balance_id, state), 
	CONSTRAINT opening_balance_state_wages_check CHECK (wages_minor >= 0), 
	CONSTRAINT opening_balance_state_tenant_id_opening_balance_id_fkey FOREIGN KEY(tenant_id, opening_balance_id) REFERENCES app.opening_balance (tenant_id, id)
);
ALTER TABLE app.opening_balance_state ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.opening_balance_state FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_isolation ON app.opening_balance_state FOR ALL TO bo_app, bo_export USING (tenant_id = app.current_tenant()) WITH CHECK (tenant_id = app.current_tenant());
GRANT SELECT, INSERT, UPDATE, DELETE ON app.opening_balance_state TO bo_app;
GRANT SELECT ON app.opening_balance_state TO bo_export;

CREATE TABLE app.paycheck (
	tenant_id UUID NOT NULL, 
	id UUID DEFAULT uuidv7() NOT NULL, 
	run_id UUID NOT NULL, 
	worker_id UUID NOT NULL, 
	number INTEGER NOT NULL, 
	bank_account_id UUID, 
	pay_date DATE NOT NULL, 
	gross_minor BIGINT NOT NULL, 
	employee_taxes_minor BIGINT NOT NULL, 
	employer_taxes_minor BIGINT NOT NULL, 
	deductions_minor BIGINT NOT NULL, 
	garnishments_minor BIGINT NOT NULL, 
	net_minor BIGINT NOT NULL, 
	hours_hundredths INTEGER NOT NULL, 
	inputs JSONB NOT NULL, 
	notes JSONB NOT NULL, 
	tables JSONB NOT NULL, 
	payment TEXT DEFAULT 'pending' NOT NULL CONSTRAINT paycheck_payment_check CHECK (payment IN ('pending', 'posted', 'sent', 'returned')), 
	external_id TEXT CONSTRAINT paycheck_external_id_check CHECK (length(external_id) <= 128), 
	metadata JSONB DEFAULT '{}'::jsonb NOT NULL, 
	version BIGINT DEFAULT 1 NOT NULL, 
	created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	updated_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	CONSTRAINT paycheck_pkey PRIMARY KEY (tenant_id, id), 
	CONSTRAINT paycheck_net_check CHECK (gross_minor - employee_taxes_minor - deductions_minor - garnishments_minor = net_minor), 
	CONSTRAINT paycheck_tenant_id_run_id_worker_id_key UNIQUE (tenant_id, run_id, worker_id), 
	CONSTRAINT paycheck_tenant_id_external_id_key UNIQUE (tenant_id, external_id), 
	CONSTRAINT paycheck_tenant_id_run_id_fkey FOREIGN KEY(tenant_id, run_id) REFERENCES app.payroll_run (tenant_id, id), 
	CONSTRAINT paycheck_tenant_id_worker_id_fkey FOREIGN KEY(tenant_id, worker_id) REFERENCES app.worker (tenant_id, id), 
	CONSTRAINT paycheck_tenant_id_bank_account_id_fkey FOREIGN KEY(tenant_id, bank_account_id) REFERENCES app.bank_account (tenant_id, id)
);
CREATE INDEX paycheck_tenant_id_bank_account_id_idx ON app.paycheck (tenant_id, bank_account_id) WHERE bank_account_id IS NOT NULL;
CREATE INDEX paycheck_tenant_id_worker_id_idx ON app.paycheck (tenant_id, worker_id);
ALTER TABLE app.paycheck ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.paycheck FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_isolation ON app.paycheck FOR ALL TO bo_app, bo_export USING (tenant_id = app.current_tenant()) WITH CHECK (tenant_id = app.current_tenant());
GRANT SELECT, INSERT, UPDATE, DELETE ON app.paycheck TO bo_app;
GRANT SELECT ON app.paycheck TO bo_export;

CREATE TABLE app.timesheet (
	tenant_id UUID NOT NULL, 
	id UUID DEFAULT uuidv7() NOT NULL, 
	assignment_id UUID NOT NULL, 
	worker_id UUID NOT NULL, 
	week_start DATE NOT NULL, 
	status TEXT DEFAULT 'draft' NOT NULL CONSTRAINT timesheet_status_check CHECK (status IN ('draft', 'submitted', 'approved', 'rejected')), 
	total_hundredths INTEGER DEFAULT 0 NOT NULL, 
	submitted_at TIMESTAMP WITH TIME ZONE, 
	approved_at TIMESTAMP WITH TIME ZONE, 
	approved_by TEXT, 
	rejected_reason TEXT, 
	payroll_run_id UUID, 
	external_id TEXT CONSTRAINT timesheet_external_id_check CHECK (length(external_id) <= 128), 
	metadata JSONB DEFAULT '{}'::jsonb NOT NULL, 
	version BIGINT DEFAULT 1 NOT NULL, 
	created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	updated_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	CONSTRAINT timesheet_pkey PRIMARY KEY (tenant_id, id), 
	CONSTRAINT timesheet_approved_check CHECK ((approved_at IS NOT NULL) = (status = 'approved')), 
	CONSTRAINT timesheet_submitted_check CHECK (status <> 'submitted' OR submitted_at IS NOT NULL), 
	CONSTRAINT timesheet_payroll_run_check CHECK (payroll_run_id IS NULL OR status = 'approved'), 
	CONSTRAINT timesheet_tenant_id_assignment_id_week_start_key UNIQUE (tenant_id, assignment_id, week_start), 
	CONSTRAINT timesheet_tenant_id_external_id_key UNIQUE (tenant_id, external_id), 
	CONSTRAINT timesheet_tenant_id_assignment_id_fkey FOREIGN KEY(tenant_id, assignment_id) REFERENCES app.assignment (tenant_id, id), 
	CONSTRAINT timesheet_tenant_id_worker_id_fkey FOREIGN KEY(tenant_id, worker_id) REFERENCES app.worker (tenant_id, id)
);
CREATE INDEX timesheet_tenant_id_payroll_run_id_idx ON app.timesheet (tenant_id, payroll_run_id);
CREATE INDEX timesheet_tenant_id_status_id_idx ON app.timesheet (tenant_id, status, id);
CREATE INDEX timesheet_tenant_id_week_start_status_idx ON app.timesheet (tenant_id, week_start, status);
CREATE INDEX timesheet_tenant_id_worker_id_idx ON app.timesheet (tenant_id, worker_id);
ALTER TABLE app.timesheet ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.timesheet FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_isolation ON app.timesheet FOR ALL TO bo_app, bo_export USING (tenant_id = app.current_tenant()) WITH CHECK (tenant_id = app.current_tenant());
GRANT SELECT, INSERT, UPDATE, DELETE ON app.timesheet TO bo_app;
GRANT SELECT ON app.timesheet TO bo_export;

CREATE TABLE app.paycheck_line (
	tenant_id UUID NOT NULL, 
	paycheck_id UUID NOT NULL, 
	line SMALLINT NOT NULL, 
	code TEXT NOT NULL, 
	kind TEXT NOT NULL, 
	jurisdiction TEXT NOT NULL, 
	amount_minor BIGINT NOT NULL, 
	wages_minor BIGINT, 
	programme BOOLEAN NOT NULL, 
	assignment_id UUID, 
	workweek DATE, 
	hours_hundredths INTEGER, 
	rate_micros BIGINT, 
	deduction_id UUID, 
	withholding_order_id UUID, 
	CONSTRAINT paycheck_line_pkey PRIMARY KEY (tenant_id, paycheck_id, line), 
	CONSTRAINT paycheck_line_record_check CHECK ((kind <> 'deduction' OR deduction_id IS NOT NULL) AND (kind <> 'garnishment' OR withholding_order_id IS NOT NULL)), 
	CONSTRAINT paycheck_line_tenant_id_paycheck_id_fkey FOREIGN KEY(tenant_id, paycheck_id) REFERENCES app.paycheck (tenant_id, id), 
	CONSTRAINT paycheck_line_tenant_id_assignment_id_fkey FOREIGN KEY(tenant_id, assignment_id) REFERENCES app.assignment (tenant_id, id), 
	CONSTRAINT paycheck_line_tenant_id_deduction_id_fkey FOREIGN KEY(tenant_id, deduction_id) REFERENCES app.deduction (tenant_id, id), 
	CONSTRAINT paycheck_line_tenant_id_withholding_order_id_fkey FOREIGN KEY(tenant_id, withholding_order_id) REFERENCES app.withholding_order (tenant_id, id)
);
CREATE INDEX paycheck_line_tenant_id_assignment_id_idx ON app.paycheck_line (tenant_id, assignment_id) WHERE assignment_id IS NOT NULL;
CREATE INDEX paycheck_line_tenant_id_deduction_id_idx ON app.paycheck_line (tenant_id, deduction_id) WHERE deduction_id IS NOT NULL;
CREATE INDEX paycheck_line_tenant_id_withholding_order_id_idx ON app.paycheck_line (tenant_id, withholding_order_id) WHERE withholding_order_id IS NOT NULL;
ALTER TABLE app.paycheck_line ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.paycheck_line FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_isolation ON app.paycheck_line FOR ALL TO bo_app, bo_export USING (tenant_id = app.current_tenant()) WITH CHECK (tenant_id = app.current_tenant());
GRANT SELECT, INSERT, UPDATE, DELETE ON app.paycheck_line TO bo_app;
GRANT SELECT ON app.paycheck_line TO bo_export;

CREATE TABLE app.payment (
	tenant_id UUID NOT NULL, 
	id UUID DEFAULT uuidv7() NOT NULL, 
	status TEXT DEFAULT 'sent' NOT NULL CONSTRAINT payment_status_check CHECK (status IN ('sent', 'returned', 'retrying', 'retried')), 
	run_id UUID NOT NULL, 
	paycheck_id UUID NOT NULL, 
	worker_id UUID NOT NULL, 
	bank_account_id UUID NOT NULL, 
	amount_minor BIGINT NOT NULL, 
	attempt SMALLINT NOT NULL, 
	retry_of UUID, 
	trace_number TEXT NOT NULL, 
	settles_on DATE NOT NULL, 
	sent_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	return_code TEXT, 
	returned_on DATE, 
	external_id TEXT CONSTRAINT payment_external_id_check CHECK (length(external_id) <= 128), 
	metadata JSONB DEFAULT '{}'::jsonb NOT NULL, 
	version BIGINT DEFAULT 1 NOT NULL, 
	created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	updated_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	CONSTRAINT payment_pkey PRIMARY KEY (tenant_id, id), 
	CONSTRAINT payment_amount_check CHECK (amount_minor > 0), 
	CONSTRAINT payment_attempt_check CHECK (attempt = 1 OR (attempt > 1 AND retry_of IS NOT NULL)), 
	CONSTRAINT payment_returned_check CHECK ((return_code IS NOT NULL) = (status <> 'sent') AND (returned_on IS NOT NULL) = (status <> 'sent')), 
	CONSTRAINT payment_tenant_id_paycheck_id_attempt_key UNIQUE (tenant_id, paycheck_id, attempt), 
	CONSTRAINT payment_tenant_id_retry_of_key UNIQUE (tenant_id, retry_of), 
	CONSTRAINT payment_tenant_id_external_id_key UNIQUE (tenant_id, external_id), 
	CONSTRAINT payment_tenant_id_run_id_fkey FOREIGN KEY(tenant_id, run_id) REFERENCES app.payroll_run (tenant_id, id), 
	CONSTRAINT payment_tenant_id_paycheck_id_fkey FOREIGN KEY(tenant_id, paycheck_id) REFERENCES app.paycheck (tenant_id, id), 
	CONSTRAINT payment_tenant_id_worker_id_fkey FOREIGN KEY(tenant_id, worker_id) REFERENCES app.worker (tenant_id, id), 
	CONSTRAINT payment_tenant_id_bank_account_id_fkey FOREIGN KEY(tenant_id, bank_account_id) REFERENCES app.bank_account (tenant_id, id), 
	CONSTRAINT payment_tenant_id_retry_of_fkey FOREIGN KEY(tenant_id, retry_of) REFERENCES app.payment (tenant_id, id)
);
CREATE INDEX payment_returned_idx ON app.payment (tenant_id, bank_account_id) WHERE return_code IS NOT NULL;
CREATE INDEX payment_tenant_id_bank_account_id_idx ON app.payment (tenant_id, bank_account_id);
CREATE INDEX payment_tenant_id_run_id_idx ON app.payment (tenant_id, run_id);
CREATE INDEX payment_tenant_id_status_id_idx ON app.payment (tenant_id, status, id);
CREATE INDEX payment_tenant_id_worker_id_idx ON app.payment (tenant_id, worker_id);
ALTER TABLE app.payment ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.payment FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_isolation ON app.payment FOR ALL TO bo_app, bo_export USING (tenant_id = app.current_tenant()) WITH CHECK (tenant_id = app.current_tenant());
GRANT SELECT, INSERT, UPDATE, DELETE ON app.payment TO bo_app;
GRANT SELECT ON app.payment TO bo_export;

CREATE TABLE app.timesheet_entry (
	tenant_id UUID NOT NULL, 
	timesheet_id UUID NOT NULL, 
	work_date DATE NOT NULL, 
	hundredths SMALLINT NOT NULL, 
	external_id TEXT CONSTRAINT timesheet_entry_external_id_check CHECK (length(external_id) <= 128), 
	CONSTRAINT timesheet_entry_pkey PRIMARY KEY (tenant_id, timesheet_id, work_date), 
	CONSTRAINT timesheet_entry_hundredths_check CHECK (hundredths BETWEEN 1 AND 2400), 
	CONSTRAINT timesheet_entry_tenant_id_external_id_key UNIQUE (tenant_id, external_id), 
	CONSTRAINT timesheet_entry_tenant_id_timesheet_id_fkey FOREIGN KEY(tenant_id, timesheet_id) REFERENCES app.timesheet (tenant_id, id)
);
CREATE INDEX timesheet_entry_tenant_id_work_date_idx ON app.timesheet_entry (tenant_id, work_date);
ALTER TABLE app.timesheet_entry ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.timesheet_entry FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_isolation ON app.timesheet_entry FOR ALL TO bo_app, bo_export USING (tenant_id = app.current_tenant()) WITH CHECK (tenant_id = app.current_tenant());
GRANT SELECT, INSERT, UPDATE, DELETE ON app.timesheet_entry TO bo_app;
GRANT SELECT ON app.timesheet_entry TO bo_export;

CREATE TABLE app.timesheet_version (
	tenant_id UUID NOT NULL, 
	timesheet_id UUID NOT NULL, 
	version BIGINT NOT NULL, 
	status TEXT NOT NULL, 
	entries JSONB NOT NULL, 
	actor TEXT NOT NULL, 
	request_id TEXT NOT NULL, 
	replaced_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	CONSTRAINT timesheet_version_pkey PRIMARY KEY (tenant_id, timesheet_id, version), 
	CONSTRAINT timesheet_version_tenant_id_timesheet_id_fkey FOREIGN KEY(tenant_id, timesheet_id) REFERENCES app.timesheet (tenant_id, id)
);
ALTER TABLE app.timesheet_version ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.timesheet_version FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_isolation ON app.timesheet_version FOR ALL TO bo_app, bo_export USING (tenant_id = app.current_tenant()) WITH CHECK (tenant_id = app.current_tenant());
GRANT SELECT, INSERT ON app.timesheet_version TO bo_app;
GRANT SELECT ON app.timesheet_version TO bo_export;
CREATE POLICY reset ON app.timesheet_version FOR ALL TO bo_reset USING (tenant_id = ctl.test_tenant()) WITH CHECK (false);
GRANT SELECT (tenant_id), DELETE ON app.timesheet_version TO bo_reset;

