-- Who sees how much (RFC 4745, RFC 5025, OMA Presence XDM): the user's own rules, else the organisation's defaults.
-- Read by presence.sql.

-- Whether the conditions of a rule hold for a watcher (lower case, without scheme). A condition that is not understood
-- does not hold (RFC 4745 section 7); nobody is anonymous here, and nobody has a sphere.
CREATE OR REPLACE FUNCTION presence_applies(rule xml, presentity text, watcher text) RETURNS boolean
LANGUAGE plpgsql STABLE AS $$
DECLARE
	ns CONSTANT text[] := ARRAY[ARRAY['c', 'urn:ietf:params:xml:ns:common-policy'], ARRAY['o', 'urn:oma:xml:xdm:common-policy']];
	home CONSTANT text := split_part(watcher, '@', 2);
	identity CONSTANT text := format('("sip:%1$s","sips:%1$s","pres:%1$s")', watcher);
	bare CONSTANT text := '^(sips?|pres|im):';
	part xml;
BEGIN
	IF xpath_exists('/c:rule/c:conditions/*[not(self::c:identity or self::c:validity or self::o:external-list)]', rule, ns) THEN
		RETURN false;
	END IF;
	IF xpath_exists('/c:rule/c:conditions/c:validity', rule, ns) AND NOT EXISTS (
		SELECT FROM unnest(xpath('/c:rule/c:conditions/c:validity/c:from/text()', rule, ns),
			xpath('/c:rule/c:conditions/c:validity/c:until/text()', rule, ns)) AS pair (since, until)
		WHERE now() >= since::text::timestamptz AND now() < until::text::timestamptz
	) THEN
		RETURN false;
	END IF;
	IF xpath_exists('/c:rule/c:conditions/o:external-list', rule, ns) AND NOT EXISTS (
		SELECT FROM unnest(xpath('/c:rule/c:conditions/o:external-list/o:entry/@anc', rule, ns)) AS anchor
		JOIN contacts ON owner = presentity AND contact = watcher
		WHERE list = xcap_list_name(anchor::text)
	) THEN
		RETURN false;
	END IF;
	IF NOT xpath_exists('/c:rule/c:conditions/c:identity', rule, ns) THEN RETURN true; END IF;
	IF EXISTS (
		SELECT FROM unnest(xpath('/c:rule/c:conditions/c:identity/c:one/@id', rule, ns)) AS id
		WHERE regexp_replace(lower(id::text), bare, '') = watcher
	) THEN
		RETURN true;
	END IF;
	FOREACH part IN ARRAY xpath('/c:rule/c:conditions/c:identity/c:many', rule, ns) LOOP
		CONTINUE WHEN lower(coalesce((xpath('/c:many/@domain', part, ns))[1]::text, home)) <> home;
		CONTINUE WHEN EXISTS (
			SELECT FROM unnest(xpath('/c:many/c:except/@domain', part, ns)) AS away WHERE lower(away::text) = home
			UNION ALL SELECT FROM unnest(xpath('/c:many/c:except/@id', part, ns)) AS id
			WHERE regexp_replace(lower(id::text), bare, '') = watcher
		);
		RETURN true;
	END LOOP;
	RETURN false;
EXCEPTION WHEN invalid_datetime_format OR datetime_field_overflow THEN
	RETURN false;
END
$$;

-- What a watcher may see of somebody: rejected, pending (until the user decides), blocked (always looks offline), external,
-- colleagues, workgroup. Several rules that hold add up (RFC 4745 section 10); rules of which none holds let
-- nobody see anything.
CREATE OR REPLACE FUNCTION presence_level(presentity text, watcher text, colleague boolean) RETURNS text
LANGUAGE plpgsql STABLE AS $$
DECLARE
	ns CONSTANT text[] := ARRAY[ARRAY['c', 'urn:ietf:params:xml:ns:common-policy'], ARRAY['o', 'urn:oma:xml:xdm:common-policy'],
		ARRAY['p', 'urn:ietf:params:xml:ns:pres-rules']];
	document bytea;
	ruled boolean := false;
	named boolean := false;
	others xml[] := '{}';
	holding xml[] := '{}';
	rule xml;
	handling integer := -1;
	shows integer := 0;
BEGIN
	IF presentity = watcher THEN RETURN 'workgroup'; END IF;
	FOR document IN
		SELECT doc FROM xcap WHERE username = split_part(presentity, '@', 1) AND domain = split_part(presentity, '@', 2) AND doc_type = 2
	LOOP
		ruled := true;
		FOREACH rule IN ARRAY xpath('/c:ruleset/c:rule', convert_from(document, 'UTF8')::xml, ns) LOOP
			IF xpath_exists('/c:rule/c:conditions/o:other-identity', rule, ns) THEN
				others := others || rule;
			ELSIF presence_applies(rule, presentity, watcher) THEN
				holding := holding || rule;
				named := true;
			END IF;
		END LOOP;
	END LOOP;
	IF NOT ruled THEN RETURN CASE WHEN colleague THEN 'colleagues' ELSE 'external' END; END IF;
	-- Whom no other rule is about (OMA).
	IF NOT named THEN holding := others; END IF;
	FOREACH rule IN ARRAY holding LOOP
		handling := greatest(handling, CASE trim((xpath('string(/c:rule/c:actions/p:sub-handling)', rule, ns))[1]::text)
			WHEN 'allow' THEN 3 WHEN 'polite-block' THEN 2 WHEN 'confirm' THEN 1 WHEN 'block' THEN 0 ELSE -1 END);
		shows := greatest(shows, CASE
			WHEN xpath_exists('/c:rule/c:transformations/p:provide-all-attributes', rule, ns) THEN 2
			WHEN xpath_exists('/c:rule/c:transformations/p:provide-note[normalize-space()="true" or normalize-space()="1"]', rule, ns) THEN 1
			ELSE 0 END);
	END LOOP;
	RETURN CASE handling WHEN 3 THEN (ARRAY['external', 'colleagues', 'workgroup'])[shows + 1]
		WHEN 2 THEN 'blocked' WHEN 0 THEN 'rejected' ELSE 'pending' END;
END
$$;
