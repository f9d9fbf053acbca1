-- Contact lists (RFC 4826) and privacy rules on the server: documents of XCAP (RFC 4825), and what follows from a change of
-- one. Read by presence.sql.

-- Who is in whose contact list, and in which of its lists: from the documents alone, for whoever asks.
CREATE TABLE IF NOT EXISTS contacts (
	owner text NOT NULL, contact text NOT NULL, list text NOT NULL DEFAULT '', PRIMARY KEY (owner, contact, list)
);
CREATE INDEX IF NOT EXISTS contacts_contact ON contacts (contact);

-- The list that a reference into a document of lists names (RFC 4826 section 3.4).
CREATE OR REPLACE FUNCTION xcap_list_name(anchor text) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
	SELECT substring(regexp_replace(regexp_replace(regexp_replace($1, '%22|&quot;', '"', 'g'), '%5b', '[', 'gi'), '%5d', ']', 'gi')
		FROM 'list\[@name="([^"]*)"\]')
$$;

-- Whether somebody is a contact of the user (both lower case, without scheme).
CREATE OR REPLACE FUNCTION is_contact(owner text, contact text) RETURNS boolean
LANGUAGE sql STABLE AS $$ SELECT EXISTS (SELECT FROM contacts AS c WHERE c.owner = $1 AND c.contact = $2) $$;

-- After a change of a document: contacts are read anew, watchers judged anew.
CREATE OR REPLACE FUNCTION xcap_changed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
DECLARE
	row CONSTANT xcap := CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
	address CONSTANT text := row.username || '@' || row.domain;
BEGIN
	IF row.doc_type = 2 THEN
		INSERT INTO presence_changed (presentity) VALUES (address) ON CONFLICT DO NOTHING;
		PERFORM presence_list_wake(address);
	ELSIF row.doc_type = 4 THEN
		DELETE FROM contacts WHERE owner = address;
		INSERT INTO contacts (owner, contact, list)
		SELECT address, regexp_replace(lower(entry.uri), '^(sips?|pres|im):', ''), entry.list
		FROM xcap AS x, XMLTABLE(XMLNAMESPACES('urn:ietf:params:xml:ns:resource-lists' AS rl), '//rl:entry'
			PASSING (convert_from(x.doc, 'UTF8')::xml)
			COLUMNS uri text PATH '@uri', list text PATH 'string(ancestor::rl:list[1]/@name)') AS entry
		WHERE x.username = row.username AND x.domain = row.domain AND x.doc_type = 4 AND entry.uri IS NOT NULL
		ON CONFLICT DO NOTHING;
		IF (SELECT count(DISTINCT contact) FROM contacts WHERE owner = address) > 1000 THEN
			RAISE EXCEPTION 'too-many-contacts' USING ERRCODE = 'EW001';
		END IF;
		INSERT INTO presence_changed (presentity) VALUES ('*list*' || address) ON CONFLICT DO NOTHING;
	END IF;
	RETURN NULL;
END
$$;
CREATE OR REPLACE TRIGGER xcap_changed AFTER INSERT OR UPDATE OR DELETE ON xcap FOR EACH ROW EXECUTE FUNCTION xcap_changed();

-- The web services do these three things and no other. Documents are named by their path below the XCAP root.
CREATE OR REPLACE FUNCTION xcap_get(uri text, OUT document bytea, OUT tag text) RETURNS record
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public AS $$ SELECT doc, etag FROM xcap WHERE doc_uri = $1 $$;

-- Status as HTTP has it: 201 made, 200 changed, 412 a condition does not hold. `conditions` are entity tags; * is any.
CREATE OR REPLACE FUNCTION xcap_put(address text, uri text, kind integer, document bytea, tag text,
	if_match text[], if_none_match text[]) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
DECLARE
	old text;
BEGIN
	PERFORM pg_advisory_xact_lock(4825, hashtext(uri));
	SELECT etag INTO old FROM xcap WHERE doc_uri = uri;
	IF NOT xcap_holds(old, if_match, if_none_match) THEN RETURN 412; END IF;
	INSERT INTO xcap (username, domain, doc, doc_type, etag, source, doc_uri, port)
	VALUES (split_part(address, '@', 1), split_part(address, '@', 2), document, kind, tag, 0, uri, 0)
	ON CONFLICT (doc_uri) DO UPDATE SET doc = excluded.doc, etag = excluded.etag;
	RETURN CASE WHEN old IS NULL THEN 201 ELSE 200 END;
END
$$;

CREATE OR REPLACE FUNCTION xcap_delete(uri text, if_match text[], if_none_match text[]) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
DECLARE
	old text;
BEGIN
	PERFORM pg_advisory_xact_lock(4825, hashtext(uri));
	SELECT etag INTO old FROM xcap WHERE doc_uri = uri;
	IF NOT xcap_holds(old, if_match, if_none_match) THEN RETURN 412; END IF;
	IF old IS NULL THEN RETURN 404; END IF;
	DELETE FROM xcap WHERE doc_uri = uri;
	RETURN 200;
END
$$;

-- Conditions of a request (RFC 9110 section 13): NULL or empty: none.
CREATE OR REPLACE FUNCTION xcap_holds(tag text, if_match text[], if_none_match text[]) RETURNS boolean
LANGUAGE sql IMMUTABLE AS $$
	SELECT (cardinality(if_match) = 0 OR (tag IS NOT NULL AND ('*' = ANY (if_match) OR tag = ANY (if_match))))
		AND (cardinality(if_none_match) = 0 OR tag IS NULL OR NOT ('*' = ANY (if_none_match) OR tag = ANY (if_none_match)))
$$;

REVOKE EXECUTE ON FUNCTION xcap_get, xcap_put, xcap_delete FROM PUBLIC;
GRANT EXECUTE ON FUNCTION xcap_get, xcap_put, xcap_delete TO "edgewright-web";
