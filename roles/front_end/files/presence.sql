-- Presence: the tables of Kamailio's package, if missing, and what decides who sees how much of whom. Kamailio's own
-- pres-rules are not used for that: presence_xml 6.0 takes one domain for another of the same length, finds no
-- exception, and in database mode leaves out the transformations. One Front End of the pool at a time.
\set ON_ERROR_STOP on
SET client_min_messages = warning;
SELECT pg_advisory_lock(5061) \g /dev/null
SELECT to_regclass('public.presentity') IS NULL AS missing \gset
\if :missing
BEGIN;
\ir /usr/share/kamailio/postgres/presence-create.sql
COMMIT;
\endif

-- Who waits for route[LOCK] does not wait for ever.
ALTER ROLE CURRENT_USER SET lock_timeout = '5s';

BEGIN;

-- Functions are made anew at each start, with whatever arguments they have now; triggers with them.
DO $$
DECLARE
	one text;
BEGIN
	FOR one IN SELECT oid::regprocedure::text FROM pg_proc WHERE pronamespace = 'public'::regnamespace
		AND proowner = current_user::regrole AND proname ~ '^(plain|is_contact|presence_.*|presentity_.*|xcap_.*)$' LOOP
		EXECUTE 'DROP FUNCTION IF EXISTS ' || one || ' CASCADE';
	END LOOP;
END
$$;

-- Addresses come from SIP as hexadecimal: nothing that a user writes is ever part of a statement.
CREATE OR REPLACE FUNCTION plain(hexadecimal text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT AS $$ SELECT convert_from(decode(hexadecimal, 'hex'), 'UTF8') $$;

-- People who had to leave while they watched somebody: told that it has ended, then forgotten.
CREATE TABLE IF NOT EXISTS presence_gone (callid text, from_tag text, PRIMARY KEY (callid, from_tag));

-- Whose watchers must be told anew, and by whom it is being done.
CREATE TABLE IF NOT EXISTS presence_changed (presentity text PRIMARY KEY);

\ir contacts.sql
\ir privacy.sql
\ir lists.sql

-- Two devices may go offline at once, and Kamailio calls what they leave behind by one name.
CREATE OR REPLACE FUNCTION presentity_offline() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
	DELETE FROM presentity WHERE username = NEW.username AND domain = NEW.domain AND event = NEW.event
		AND etag = NEW.etag AND id <> NEW.id;
	RETURN NEW;
END
$$;
CREATE OR REPLACE TRIGGER presentity_offline BEFORE UPDATE OF etag ON presentity
	FOR EACH ROW WHEN (NEW.etag = '*#-OFFLINE-#*') EXECUTE FUNCTION presentity_offline();

-- What a published document (RFC 3863) must be: of the user who publishes it, each tuple with its id and state.
-- Empty: it is; otherwise what is wrong with it.
CREATE OR REPLACE FUNCTION presence_fault(hexadecimal text, owner text) RETURNS text
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
	ns CONSTANT text[] := ARRAY[ARRAY['p', 'urn:ietf:params:xml:ns:pidf']];
	document text;
	pidf xml;
	entity text;
BEGIN
	BEGIN
		document := plain(hexadecimal);
	EXCEPTION WHEN character_not_in_repertoire THEN
		RETURN 'not UTF-8';
	END;
	IF NOT xml_is_well_formed_document(document) THEN RETURN 'not XML'; END IF;
	pidf := document::xml;
	entity := lower((xpath('string(/p:presence/@entity)', pidf, ns))[1]::text);
	IF entity NOT IN ('sip:' || owner, 'sips:' || owner, 'pres:' || owner) THEN RETURN 'not the publisher''s own'; END IF;
	IF NOT xpath_exists('/p:presence/p:tuple', pidf, ns)
		OR xpath_exists('/p:presence/p:tuple[not(@id) or not(p:status/p:basic)]', pidf, ns) THEN
		RETURN 'without tuple, id or basic status';
	END IF;
	RETURN '';
END
$$;

-- Status of a subscription at a level, as Kamailio counts: 1 active, 2 pending, 3 terminated.
CREATE OR REPLACE FUNCTION presence_status(level text) RETURNS integer
LANGUAGE sql IMMUTABLE AS $$ SELECT CASE level WHEN 'pending' THEN 2 WHEN 'rejected' THEN 3 ELSE 1 END $$;

-- Written down before each new subscription, so that Kamailio finds there whether it waits. Gives the level.
CREATE OR REPLACE FUNCTION presence_admit(presentity text, watcher text, colleague boolean, package text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	level CONSTANT text := presence_level(presentity, watcher, colleague);
BEGIN
	INSERT INTO watchers (presentity_uri, watcher_username, watcher_domain, event, status, reason, inserted_time)
	VALUES ('sip:' || presentity, split_part(watcher, '@', 1), split_part(watcher, '@', 2), package,
		presence_status(level), '', extract(epoch FROM now()))
	ON CONFLICT (presentity_uri, watcher_username, watcher_domain, event)
	DO UPDATE SET status = excluded.status, reason = excluded.reason, inserted_time = excluded.inserted_time;
	RETURN level;
END
$$;

-- The states that a user has published and that still hold, the newest first.
CREATE OR REPLACE FUNCTION presence_published(presentity text) RETURNS SETOF xml
LANGUAGE sql STABLE AS $$
	SELECT convert_from(body, 'UTF8')::xml FROM presentity
	WHERE username = split_part($1, '@', 1) AND domain = split_part($1, '@', 2) AND event = 'presence'
		AND expires > extract(epoch FROM now()) AND etag <> '*#-OFFLINE-#*' AND priority >= 0
	ORDER BY received_time DESC, id DESC
$$;

-- A state that its device takes back: Kamailio tells the watchers before it removes it.
CREATE OR REPLACE FUNCTION presence_withdraw(presentity text, tag text) RETURNS void
LANGUAGE sql AS $$
	UPDATE presentity SET priority = -1
	WHERE username = split_part($1, '@', 1) AND domain = split_part($1, '@', 2) AND event = 'presence' AND etag = tag
$$;

-- One state of all devices of a user: offline, dnd, busy, away or available, the first activity (RFC 4480) that says so,
-- and his newest note. Who says on one device not to be disturbed, or to be busy, is that on all; he is away when he is
-- on every device that he has.
CREATE OR REPLACE FUNCTION presence_compute(presentity text, OUT state text, OUT activity text, OUT note text)
LANGUAGE plpgsql STABLE AS $$
DECLARE
	ns CONSTANT text[] := ARRAY[ARRAY['p', 'urn:ietf:params:xml:ns:pidf'],
		ARRAY['dm', 'urn:ietf:params:xml:ns:pidf:data-model'], ARRAY['r', 'urn:ietf:params:xml:ns:pidf:rpid']];
	quiet CONSTANT text[] := '{do-not-disturb,dnd}';
	busy CONSTANT text[] := '{on-the-phone,meeting,presentation,appointment,performance,steering,worship,busy}';
	away CONSTANT text[] := '{away,be-right-back,breakfast,dinner,meal,holiday,in-transit,permanent-absence,playing,'
		'shopping,sleeping,spectator,travel,tv,vacation}';
	document xml;
	found text[];
	open boolean;
	rank integer := 0;
	here boolean := false;
	absent text;
BEGIN
	state := 'offline'; activity := ''; note := '';
	FOR document IN SELECT * FROM presence_published(presentity) LOOP
		open := xpath_exists('/p:presence/p:tuple/p:status/p:basic[normalize-space()="open"]', document, ns);
		SELECT array_agg(lower(name)) INTO found FROM (
			SELECT (xpath('local-name(/*)', one))[1]::text AS name
			FROM unnest(xpath('//*[local-name()="activities"]/*', document)) AS one
			UNION ALL SELECT lower(replace(trim(said::text), ' ', '-'))
			FROM unnest(xpath('//*[local-name()="activities"]/*[local-name()="other"]/text()', document)) AS said
		) AS activities;
		found := coalesce(found, '{}');
		IF note = '' THEN
			note := (xpath('string((//*[local-name()="note"])[1])', document))[1]::text;
		END IF;
		CONTINUE WHEN NOT open;
		IF found && quiet THEN
			rank := 3; activity := '';
		ELSIF found && busy AND rank < 2 THEN
			rank := 2;
			SELECT name INTO activity FROM unnest(busy) AS name WHERE name = ANY (found) LIMIT 1;
		ELSIF found && away THEN
			SELECT coalesce(absent, name) INTO absent FROM unnest(away) AS name WHERE name = ANY (found) LIMIT 1;
		ELSE
			here := true;
		END IF;
	END LOOP;
	state := CASE WHEN rank = 3 THEN 'dnd' WHEN rank = 2 THEN 'busy' WHEN here THEN 'available'
		WHEN absent IS NOT NULL THEN 'away' ELSE 'offline' END;
	IF state = 'away' THEN activity := absent; END IF;
END
$$;

-- The same, as it was found when something was last published: a state has many watchers. It holds until the first of
-- what it was made from expires (seconds since 1970).
CREATE TABLE IF NOT EXISTS presence_states (
	presentity text PRIMARY KEY, state text NOT NULL, activity text NOT NULL, note text NOT NULL, until integer NOT NULL
);
CREATE OR REPLACE FUNCTION presence_state(address text, OUT state text, OUT activity text, OUT note text)
LANGUAGE plpgsql STABLE AS $$
BEGIN
	SELECT s.state, s.activity, s.note INTO state, activity, note FROM presence_states AS s
	WHERE s.presentity = address AND s.until > extract(epoch FROM now());
	IF NOT FOUND THEN SELECT * INTO state, activity, note FROM presence_compute(address); END IF;
END
$$;
CREATE OR REPLACE FUNCTION presentity_changed() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
	changed CONSTANT presentity := CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
	address CONSTANT text := changed.username || '@' || changed.domain;
BEGIN
	IF changed.event = 'presence' THEN
		DELETE FROM presence_states WHERE presentity = address;
		INSERT INTO presence_states (presentity, state, activity, note, until)
		SELECT address, c.state, c.activity, c.note, p.until FROM presence_compute(address) AS c,
			(SELECT min(expires) AS until FROM presentity WHERE username = changed.username AND domain = changed.domain
				AND event = 'presence' AND expires > extract(epoch FROM now()) AND priority >= 0) AS p
		WHERE p.until IS NOT NULL
		ON CONFLICT (presentity) DO UPDATE SET state = excluded.state, activity = excluded.activity,
			note = excluded.note, until = excluded.until;
		PERFORM presence_list_wake(address);
	END IF;
	RETURN NULL;
END
$$;
CREATE OR REPLACE TRIGGER presentity_changed AFTER INSERT OR UPDATE OR DELETE ON presentity
	FOR EACH ROW EXECUTE FUNCTION presentity_changed();

-- What is told a watcher (PIDF, RFC 3863, with RPID): made anew from what his level may know, never cut out of what was
-- published. NULL: as published, all of it.
CREATE OR REPLACE FUNCTION presence_document(presentity text, level text) RETURNS text
LANGUAGE plpgsql STABLE AS $$
DECLARE
	entity CONSTANT text := replace(xmltext('sip:' || presentity)::text, '"', '&quot;');
	seen record;
	activity text := '';
	note text := '';
BEGIN
	SELECT * INTO seen FROM presence_state(presentity);
	IF level = 'workgroup' AND seen.state <> 'offline' THEN RETURN NULL; END IF;
	IF level NOT IN ('external', 'colleagues', 'workgroup') THEN
		seen.state := 'offline';
	ELSE
		activity := CASE seen.state WHEN 'dnd' THEN '<r:busy/><r:other>do-not-disturb</r:other>'
			WHEN 'busy' THEN '<r:busy/>' WHEN 'away' THEN '<r:away/>' ELSE '' END;
	END IF;
	IF level IN ('colleagues', 'workgroup') THEN
		note := seen.note;
		IF seen.state IN ('busy', 'away') AND seen.activity NOT IN ('busy', 'away', 'be-right-back') THEN
			activity := activity || format('<r:%s/>', seen.activity);
		END IF;
	END IF;
	RETURN '<?xml version="1.0" encoding="UTF-8"?>' || chr(10)
		|| '<presence xmlns="urn:ietf:params:xml:ns:pidf" xmlns:dm="urn:ietf:params:xml:ns:pidf:data-model"'
		|| format(' xmlns:r="urn:ietf:params:xml:ns:pidf:rpid" entity="%s">', entity)
		|| format('<tuple id="user"><status><basic>%s</basic></status>',
			CASE seen.state WHEN 'offline' THEN 'closed' ELSE 'open' END)
		|| CASE note WHEN '' THEN '' ELSE format('<note>%s</note>', note) END || '</tuple>'
		|| '<dm:person id="person">'
		|| CASE activity WHEN '' THEN '' ELSE format('<r:activities>%s</r:activities>', activity) END
		|| CASE note WHEN '' THEN '' ELSE format('<dm:note>%s</dm:note>', note) END
		|| '</dm:person></presence>' || chr(10);
END
$$;

-- What a watcher is told at this moment: his level (or gone), and the document for it.
CREATE OR REPLACE FUNCTION presence_shown(presentity text, watcher text, colleague boolean, dialog text DEFAULT '',
	OUT level text, OUT document text)
LANGUAGE plpgsql STABLE AS $$
BEGIN
	IF EXISTS (SELECT FROM presence_gone WHERE callid = dialog) THEN
		level := 'gone';
		document := '';
	ELSE
		level := presence_level(presentity, watcher, colleague);
		document := coalesce(presence_document(presentity, level), '');
	END IF;
END
$$;

-- The next in the queue; NULL when it is empty. Who waited for an answer of the user and may see him now is active.
CREATE OR REPLACE FUNCTION presence_next() RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	found text;
BEGIN
	DELETE FROM presence_changed WHERE presentity = (
		SELECT presentity FROM presence_changed LIMIT 1 FOR UPDATE SKIP LOCKED
	) RETURNING presentity INTO found;
	UPDATE active_watchers SET status = 1, reason = '' WHERE presentity_uri = 'sip:' || found AND event = 'presence'
		AND status = 2 AND presence_status(presence_level(found, watcher_username || '@' || watcher_domain, flags & 4 <> 0)) = 1;
	RETURN found;
END
$$;

-- Its watchers have been told: who may no longer watch is forgotten, who must wait for the user's answer waits.
CREATE OR REPLACE FUNCTION presence_told(presentity text) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
	dialog record;
BEGIN
	DELETE FROM active_watchers AS w USING presence_gone AS g
	WHERE w.callid = g.callid AND w.from_tag = g.from_tag AND w.presentity_uri = 'sip:' || presentity;
	DELETE FROM presence_lists AS l WHERE '*list*' || l.owner = presentity
		AND NOT EXISTS (SELECT FROM active_watchers AS w WHERE w.callid = l.dialog);
	DELETE FROM presence_gone AS g WHERE NOT EXISTS (SELECT FROM active_watchers AS w WHERE w.callid = g.callid);
	FOR dialog IN
		SELECT id, presence_status(presence_level(presentity, watcher_username || '@' || watcher_domain, flags & 4 <> 0)) AS status
		FROM active_watchers WHERE presentity_uri = 'sip:' || presentity AND event = 'presence' AND status = 1
	LOOP
		IF dialog.status = 2 THEN UPDATE active_watchers SET status = 2 WHERE id = dialog.id;
		ELSIF dialog.status = 3 THEN DELETE FROM active_watchers WHERE id = dialog.id;
		END IF;
	END LOOP;
END
$$;

-- A user who may no longer be signed in: what he watches ends, and what he published holds no longer. Everything, or
-- what came from outside.
CREATE OR REPLACE FUNCTION presence_leave(address text, everything boolean) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
	WITH gone AS (
		SELECT callid, from_tag, presentity_uri FROM active_watchers
		WHERE watcher_username = split_part(address, '@', 1) AND watcher_domain = split_part(address, '@', 2)
			AND (everything OR flags & 2 <> 0)
	), noted AS (
		INSERT INTO presence_gone (callid, from_tag) SELECT callid, from_tag FROM gone ON CONFLICT DO NOTHING
	)
	INSERT INTO presence_changed (presentity) SELECT DISTINCT substr(presentity_uri, 5) FROM gone ON CONFLICT DO NOTHING;
	DELETE FROM presentity WHERE username = split_part(address, '@', 1) AND domain = split_part(address, '@', 2)
		AND (everything OR priority = 1);
	IF FOUND THEN INSERT INTO presence_changed (presentity) VALUES (address) ON CONFLICT DO NOTHING; END IF;
END
$$;

COMMIT;
