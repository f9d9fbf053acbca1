-- Subscriptions to a whole contact list (RFC 4662): one dialog that is told of everybody in it, in parts that fit into
-- a message, afterwards of whom something changed. Read by presence.sql.

CREATE TABLE IF NOT EXISTS presence_lists (
	dialog text PRIMARY KEY, owner text NOT NULL, list text NOT NULL, uri text NOT NULL, version integer NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS presence_lists_owner ON presence_lists (owner);
CREATE TABLE IF NOT EXISTS presence_list_sent (
	dialog text NOT NULL REFERENCES presence_lists ON DELETE CASCADE, contact text NOT NULL, digest text NOT NULL,
	changed boolean NOT NULL DEFAULT false, PRIMARY KEY (dialog, contact)
);
CREATE INDEX IF NOT EXISTS presence_list_sent_contact ON presence_list_sent (contact);

-- Which list an address is for its owner: empty for all his contacts (his own address), a list's name for one of his
-- services (RFC 4826 section 4), NULL: none.
CREATE OR REPLACE FUNCTION presence_list(owner text, uri text) RETURNS text
LANGUAGE plpgsql STABLE AS $$
DECLARE
	ns CONSTANT text[] := ARRAY[ARRAY['r', 'urn:ietf:params:xml:ns:rls-services']];
	service xml;
	document bytea;
BEGIN
	IF uri = owner THEN RETURN ''; END IF;
	FOR document IN
		SELECT doc FROM xcap WHERE username = split_part(owner, '@', 1) AND domain = split_part(owner, '@', 2) AND doc_type = 8
	LOOP
		FOREACH service IN ARRAY xpath('/r:rls-services/r:service', convert_from(document, 'UTF8')::xml, ns) LOOP
			IF regexp_replace(lower((xpath('string(/r:service/@uri)', service, ns))[1]::text), '^sips?:', '') = uri THEN
				RETURN coalesce(xcap_list_name((xpath('string(/r:service/r:resource-list)', service, ns))[1]::text), '');
			END IF;
		END LOOP;
	END LOOP;
	RETURN NULL;
END
$$;

-- The subscription begins, or is renewed: everything is told anew.
CREATE OR REPLACE FUNCTION presence_list_begin(dialog text, owner text, list text, uri text) RETURNS integer
LANGUAGE sql AS $$
	DELETE FROM presence_lists AS l WHERE l.dialog = $1 AND l.owner = $2;
	INSERT INTO presence_lists (dialog, owner, list, uri) VALUES ($1, $2, $3, $4) RETURNING 1
$$;
CREATE OR REPLACE FUNCTION presence_list_renew(dialog text) RETURNS integer
LANGUAGE sql AS $$
	DELETE FROM presence_list_sent WHERE presence_list_sent.dialog = $1;
	SELECT 1
$$;

-- Whoever has somebody in a list that is subscribed to is told when that one changes.
CREATE OR REPLACE FUNCTION presence_list_wake(contact text) RETURNS void
LANGUAGE sql AS $$
	UPDATE presence_list_sent SET changed = true WHERE presence_list_sent.contact = $1;
	INSERT INTO presence_changed (presentity)
	SELECT DISTINCT '*list*' || c.owner FROM contacts AS c JOIN presence_lists AS l ON l.owner = c.owner WHERE c.contact = $1
	ON CONFLICT DO NOTHING
$$;
-- What the dialog is told next: body (multipart/related) and its boundary; NULL: nothing new. Contacts of whom nothing is
-- known here (homed elsewhere, another organisation, never signed in) are listed without a state.
CREATE OR REPLACE FUNCTION presence_list_page(told text, domains text[], OUT boundary text, OUT body text)
LANGUAGE plpgsql AS $$
DECLARE
	most CONSTANT integer := 36000;
	this presence_lists;
	one record;
	level text;
	document text;
	instance text;
	digest text;
	resources text := '';
	parts text := '';
	number integer := 0;
	complete boolean := true;
BEGIN
	SELECT * INTO this FROM presence_lists WHERE dialog = told FOR UPDATE;
	IF NOT FOUND THEN RETURN; END IF;
	FOR one IN
		SELECT DISTINCT c.contact, s.digest AS sent FROM contacts AS c
		LEFT JOIN presence_list_sent AS s ON s.dialog = told AND s.contact = c.contact
		WHERE c.owner = this.owner AND (this.list = '' OR c.list = this.list) AND coalesce(s.changed, true)
		ORDER BY c.contact
	LOOP
		document := NULL; instance := '';
		IF split_part(one.contact, '@', 2) = ANY (domains) AND (coalesce(one.sent, '') LIKE 'known%'
			OR EXISTS (SELECT FROM presentity AS p WHERE p.username || '@' || p.domain = one.contact)
			OR EXISTS (SELECT FROM location AS l WHERE l.username || '@' || l.domain = one.contact)) THEN
			level := presence_level(one.contact, this.owner, true);
			IF level IN ('pending', 'rejected') THEN
				instance := CASE level WHEN 'pending' THEN 'state="pending"' ELSE 'state="terminated" reason="rejected"' END;
			ELSE
				document := presence_document(one.contact, CASE level WHEN 'workgroup' THEN 'colleagues' ELSE level END);
				instance := 'state="active"';
			END IF;
		END IF;
		digest := CASE instance WHEN '' THEN 'unknown' ELSE 'known' END || md5(instance || coalesce(document, ''));
		IF digest = one.sent THEN
			UPDATE presence_list_sent AS s SET changed = false WHERE s.dialog = told AND s.contact = one.contact;
			CONTINUE;
		END IF;
		IF octet_length(resources) + octet_length(parts) > most THEN
			complete := false;
			EXIT;
		END IF;
		number := number + 1;
		resources := resources || format('<resource uri="sip:%s">%s</resource>', replace(xmltext(one.contact)::text, '"', '&quot;'),
			CASE WHEN instance = '' THEN '' WHEN document IS NULL THEN format('<instance id="1" %s/>', instance)
			ELSE format('<instance id="1" %s cid="%s@list"/>', instance, number) END);
		IF document IS NOT NULL THEN
			parts := parts || format(E'--%%1$s\r\nContent-Transfer-Encoding: binary\r\nContent-ID: <%s@list>\r\n'
				'Content-Type: application/pidf+xml;charset="UTF-8"\r\n\r\n%s\r\n', number, replace(document, '%', '%%'));
		END IF;
		INSERT INTO presence_list_sent (dialog, contact, digest) VALUES (told, one.contact, digest)
		ON CONFLICT ON CONSTRAINT presence_list_sent_pkey DO UPDATE SET digest = excluded.digest, changed = false;
	END LOOP;
	-- Who is no longer in the list.
	FOR one IN
		DELETE FROM presence_list_sent AS s WHERE s.dialog = told AND NOT EXISTS (
			SELECT FROM contacts AS c WHERE c.owner = this.owner AND c.contact = s.contact AND (this.list = '' OR c.list = this.list)
		) RETURNING s.contact
	LOOP
		resources := resources || format('<resource uri="sip:%s"><instance id="1" state="terminated" reason="noresource"/></resource>',
			replace(xmltext(one.contact)::text, '"', '&quot;'));
	END LOOP;
	IF NOT complete THEN
		INSERT INTO presence_changed (presentity) VALUES ('*list*' || this.owner) ON CONFLICT DO NOTHING;
	END IF;
	IF resources = '' AND this.version > 0 THEN RETURN; END IF;
	UPDATE presence_lists SET version = version + 1 WHERE dialog = told;
	boundary := 'list' || md5(told || this.version || clock_timestamp());
	body := format(E'--%%1$s\r\nContent-Transfer-Encoding: binary\r\nContent-ID: <all@list>\r\n'
		'Content-Type: application/rlmi+xml;charset="UTF-8"\r\n\r\n<?xml version="1.0" encoding="UTF-8"?>\n'
		'<list xmlns="urn:ietf:params:xml:ns:rlmi" uri="sip:%s" version="%s" fullState="%s">', this.uri, this.version,
		CASE WHEN complete AND number = (SELECT count(*) FROM presence_list_sent AS s WHERE s.dialog = told) THEN 'true' ELSE 'false' END)
		|| replace(resources, '%', '%%') || E'</list>\r\n' || parts || E'--%1$s--\r\n';
	body := format(body, boundary);
END
$$;
