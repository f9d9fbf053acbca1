-- Meetings by instant message: who organises them, who is there. Any Front End of the pool may serve any of them. What
-- is allowed is decided before (rooms.cfg); here it is made so that two requests at once cannot get around it.
\set ON_ERROR_STOP on
SET client_min_messages = warning;
SELECT pg_advisory_lock(5061) \g /dev/null
BEGIN;

CREATE TABLE IF NOT EXISTS rooms (
	room text PRIMARY KEY,
	organiser text NOT NULL,
	by_invitation boolean NOT NULL DEFAULT false,
	used timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX IF NOT EXISTS rooms_organiser ON rooms (organiser);
CREATE TABLE IF NOT EXISTS room_people (
	room text NOT NULL REFERENCES rooms ON DELETE CASCADE,
	person text NOT NULL,
	joined boolean NOT NULL,
	PRIMARY KEY (room, person)
);

-- Addresses come as hexadecimal (plain: presence.sql). One request of `who`; what came of it, in a word. `size`: how many may be there. What nobody used for 30 days makes
-- room for new ones; nobody has more than 100.
CREATE OR REPLACE FUNCTION room_do(verb text, name text, owner text, who text, object text, size integer) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	kept rooms;
	mine room_people;
BEGIN
	IF verb = 'create' THEN
		DELETE FROM rooms WHERE used < now() - interval '30 days';
		PERFORM pg_advisory_xact_lock(hashtext(owner));
		IF EXISTS (SELECT FROM rooms WHERE room = name) THEN
			INSERT INTO room_people VALUES (name, who, true) ON CONFLICT (room, person) DO UPDATE SET joined = true;
			RETURN 'exists';
		END IF;
		IF (SELECT count(*) FROM rooms WHERE organiser = owner) >= 100 THEN RETURN 'too-many'; END IF;
		INSERT INTO rooms (room, organiser, by_invitation) VALUES (name, owner, object = 'private');
		INSERT INTO room_people VALUES (name, who, true);
		RETURN 'created';
	END IF;
	SELECT * INTO kept FROM rooms WHERE room = name FOR UPDATE;
	IF NOT FOUND THEN RETURN 'unknown'; END IF;
	UPDATE rooms SET used = now() WHERE room = name AND used < now() - interval '1 hour';
	SELECT * INTO mine FROM room_people WHERE room = name AND person = who;
	IF verb = 'join' THEN
		IF mine.joined THEN RETURN 'already'; END IF;
		IF kept.by_invitation AND mine IS NULL AND who <> owner THEN RETURN 'not-invited'; END IF;
		IF (SELECT count(*) FROM room_people WHERE room = name AND joined) >= size AND who <> owner THEN
			RETURN 'full';
		END IF;
		INSERT INTO room_people VALUES (name, who, true) ON CONFLICT (room, person) DO UPDATE SET joined = true;
		RETURN 'joined';
	ELSIF verb = 'destroy' THEN
		DELETE FROM rooms WHERE room = name;
		RETURN 'destroyed';
	ELSIF verb = 'remove' THEN
		DELETE FROM room_people WHERE room = name AND person = object;
		RETURN CASE WHEN FOUND THEN 'removed' ELSE 'nobody' END;
	ELSIF mine.joined IS NOT TRUE THEN
		RETURN 'not-joined';
	ELSIF verb = 'leave' THEN
		DELETE FROM room_people WHERE room = name AND person = who;
		RETURN 'left';
	ELSIF verb = 'invite' THEN
		IF (SELECT count(*) FROM room_people WHERE room = name) >= 1000 THEN RETURN 'full'; END IF;
		INSERT INTO room_people VALUES (name, object, false) ON CONFLICT DO NOTHING;
		RETURN CASE WHEN FOUND THEN 'invited' ELSE 'already' END;
	END IF;
	RETURN 'here';
END
$$;

-- Who is there, but one.
CREATE OR REPLACE FUNCTION room_others(name text, but text) RETURNS SETOF text
LANGUAGE sql STABLE AS $$
	SELECT person FROM room_people WHERE room = name AND joined AND person <> but ORDER BY person
$$;

-- The roster: the organiser with a star, who was invited and has not come in brackets.
CREATE OR REPLACE FUNCTION room_roster(name text) RETURNS text
LANGUAGE sql STABLE AS $$
	SELECT string_agg(CASE WHEN NOT joined THEN '(' || person || ')' WHEN person = organiser THEN '*' || person
		ELSE person END, chr(10) ORDER BY joined DESC, person)
	FROM room_people JOIN rooms USING (room) WHERE room = name
$$;

COMMIT;
