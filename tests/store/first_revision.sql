-- A database as the first revision (0001) of the schema was written: by that revision's own program, then dumped.
-- The full-text index is made anew from the items, as a dump cannot hold its tables.
BEGIN;
CREATE TABLE meta (
	"key" VARCHAR NOT NULL, 
	value BIGINT NOT NULL, 
	PRIMARY KEY ("key")
);
CREATE TABLE feeds (
	id INTEGER NOT NULL, 
	name VARCHAR NOT NULL, 
	url VARCHAR NOT NULL, 
	fetch_url VARCHAR NOT NULL, 
	publisher VARCHAR NOT NULL, 
	created_at BIGINT NOT NULL, 
	subscribed BOOLEAN NOT NULL, 
	title VARCHAR, 
	link VARCHAR, 
	language VARCHAR, 
	etag VARCHAR, 
	last_modified VARCHAR, 
	validators_at BIGINT, 
	hints TEXT, 
	body_hash VARCHAR, 
	identity VARCHAR NOT NULL, 
	last_attempt_at BIGINT, 
	last_success_at BIGINT, 
	next_poll_at BIGINT, 
	reason VARCHAR NOT NULL, 
	error VARCHAR, 
	error_since_at BIGINT, 
	warning VARCHAR, 
	streak INTEGER NOT NULL, 
	retry_after_at BIGINT, 
	gone BOOLEAN NOT NULL, 
	items_per_day FLOAT, 
	PRIMARY KEY (id), 
	UNIQUE (name)
);
CREATE INDEX ix_feeds_url ON feeds (url);
CREATE TABLE hosts (
	host VARCHAR NOT NULL, 
	not_before_at BIGINT NOT NULL, 
	PRIMARY KEY (host)
);
CREATE TABLE topics (
	id INTEGER NOT NULL, 
	label TEXT NOT NULL, 
	keywords TEXT, 
	first_published_at BIGINT, 
	last_published_at BIGINT, 
	story_count INTEGER NOT NULL, 
	threshold FLOAT NOT NULL, 
	profile TEXT, 
	PRIMARY KEY (id)
);
CREATE INDEX ix_topics_last_published_at ON topics (last_published_at);
CREATE TABLE digests (
	id INTEGER NOT NULL, 
	name VARCHAR NOT NULL, 
	from_at BIGINT NOT NULL, 
	to_at BIGINT NOT NULL, 
	delivered_at BIGINT NOT NULL, 
	format VARCHAR NOT NULL, 
	PRIMARY KEY (id)
);
CREATE INDEX ix_digests_name_to_at ON digests (name, to_at);
CREATE TABLE items (
	id INTEGER NOT NULL, 
	feed_id INTEGER NOT NULL, 
	"key" VARCHAR NOT NULL, 
	content_hash VARCHAR NOT NULL, 
	published_at BIGINT NOT NULL, 
	arrived_at BIGINT NOT NULL, 
	updated_at BIGINT, 
	date_rule VARCHAR NOT NULL, 
	language VARCHAR, 
	title TEXT NOT NULL, 
	link TEXT, 
	canonical_link TEXT, 
	summary TEXT NOT NULL, 
	authors TEXT, 
	categories TEXT, 
	media TEXT, 
	summary_html TEXT NOT NULL, 
	content_html TEXT NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(feed_id) REFERENCES feeds (id)
);
CREATE INDEX ix_items_arrived_at ON items (arrived_at);
CREATE INDEX ix_items_published_at ON items (published_at);
CREATE INDEX ix_items_canonical_link ON items (canonical_link);
CREATE TABLE stories (
	id INTEGER NOT NULL, 
	topic_id INTEGER, 
	first_published_at BIGINT NOT NULL, 
	last_published_at BIGINT NOT NULL, 
	item_count INTEGER NOT NULL, 
	sources INTEGER NOT NULL, 
	language VARCHAR, 
	title TEXT NOT NULL, 
	brief TEXT NOT NULL, 
	keywords TEXT, 
	related TEXT, 
	PRIMARY KEY (id), 
	FOREIGN KEY(topic_id) REFERENCES topics (id) ON DELETE SET NULL
);
CREATE INDEX ix_stories_topic_id ON stories (topic_id);
CREATE INDEX ix_stories_last_published_at ON stories (last_published_at);
CREATE TABLE topic_redirects (
	old_id INTEGER NOT NULL, 
	topic_id INTEGER NOT NULL, 
	PRIMARY KEY (old_id), 
	FOREIGN KEY(topic_id) REFERENCES topics (id) ON DELETE CASCADE
);
CREATE INDEX ix_topic_redirects_topic_id ON topic_redirects (topic_id);
CREATE TABLE appearances (
	feed_id INTEGER NOT NULL, 
	"key" VARCHAR NOT NULL, 
	item_id INTEGER, 
	link TEXT, 
	seen_at BIGINT NOT NULL, 
	PRIMARY KEY (feed_id, "key"), 
	FOREIGN KEY(feed_id) REFERENCES feeds (id), 
	FOREIGN KEY(item_id) REFERENCES items (id) ON DELETE SET NULL
)
 WITHOUT ROWID

;
CREATE INDEX ix_appearances_item_id ON appearances (item_id);
CREATE TABLE item_titles (
	id INTEGER NOT NULL, 
	item_id INTEGER NOT NULL, 
	title TEXT NOT NULL, 
	replaced_at BIGINT NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(item_id) REFERENCES items (id) ON DELETE CASCADE
);
CREATE INDEX ix_item_titles_item_id ON item_titles (item_id);
CREATE TABLE unsorted_items (
	item_id INTEGER NOT NULL, 
	PRIMARY KEY (item_id), 
	FOREIGN KEY(item_id) REFERENCES items (id) ON DELETE CASCADE
);
CREATE TABLE memberships (
	item_id INTEGER NOT NULL, 
	story_id INTEGER NOT NULL, 
	position BIGINT NOT NULL, 
	score FLOAT NOT NULL, 
	threshold FLOAT NOT NULL, 
	rule VARCHAR NOT NULL, 
	copy_of INTEGER, 
	nearest TEXT, 
	terms TEXT, 
	PRIMARY KEY (item_id), 
	FOREIGN KEY(item_id) REFERENCES items (id) ON DELETE CASCADE, 
	FOREIGN KEY(story_id) REFERENCES stories (id)
);
CREATE INDEX ix_memberships_story_id ON memberships (story_id);
CREATE TABLE story_redirects (
	old_id INTEGER NOT NULL, 
	story_id INTEGER NOT NULL, 
	PRIMARY KEY (old_id), 
	FOREIGN KEY(story_id) REFERENCES stories (id) ON DELETE CASCADE
);
CREATE INDEX ix_story_redirects_story_id ON story_redirects (story_id);
CREATE VIRTUAL TABLE items_fts USING fts5(title, summary, content='items', content_rowid='id', tokenize='unicode61 remove_diacritics 2');
CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL, CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num));
INSERT INTO meta VALUES ('next_item', 5);
INSERT INTO meta VALUES ('next_story', 3);
INSERT INTO meta VALUES ('next_topic', 2);
INSERT INTO meta VALUES ('next_position', 4);
INSERT INTO meta VALUES ('revision', 1);
INSERT INTO feeds VALUES (1, 'a', 'https://a.example/feed', 'https://a.example/feed', 'The A', 1703678400000000, 1, NULL, NULL, NULL, '"v1"', 'Wed, 27 Dec 2023 12:00:00 GMT', 1703678400000000, NULL, NULL, 'guid', 1703678400000000, 1703678400000000, 1703682000000000, 'never polled', NULL, NULL, NULL, 0, NULL, 0, 3.0);
INSERT INTO feeds VALUES (2, 'b', 'https://b.example/feed', 'https://b.example/feed', 'The B', 1703685600000000, 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'guid', NULL, NULL, NULL, 'never polled', NULL, NULL, NULL, 0, NULL, 0, NULL);
INSERT INTO hosts VALUES ('a.example', 1703682000000000);
INSERT INTO topics VALUES (1, 'Topic 1', NULL, NULL, 1703678400000000, 2, 0.0, NULL);
INSERT INTO digests VALUES (1, 'daily', 1703592000000000, 1703678400000000, 1703678460000000, 'markdown');
INSERT INTO digests VALUES (2, 'daily', 1703678400000000, 1703682000000000, 1703682000000000, 'markdown');
INSERT INTO items VALUES (1, 1, 'one', 'hash of Strike closes all northern ports', 1703678400000000, 1703678400000000, 1703682000000000, 'given', NULL, 'Strike closes all northern ports', 'https://news.example/one', 'https://news.example/one', 'Dockers walked out at noon, and ferries stay in harbour.', NULL, NULL, NULL, '', '');
INSERT INTO items VALUES (2, 1, 'two', 'hash of Port strike: ferries stay in harbour', 1703674800000000, 1703678400000000, NULL, 'given', NULL, 'Port strike: ferries stay in harbour', 'https://news.example/two', 'https://news.example/two', 'Summary of two', '["Ann"]', '["ports","strikes"]', '[{"url":"https://a.example/2.mp3","type":"audio/mpeg","seconds":95,"title":null,"host":null,"size_bytes":null}]', '', '');
INSERT INTO items VALUES (3, 1, 'three', 'hash of Śnieg nad morzem', 1703667600000000, 1703678400000000, NULL, 'given', 'pl', 'Śnieg nad morzem', 'https://news.example/three', 'https://news.example/three', 'Summary of three', NULL, NULL, NULL, '<p>Śnieg</p>', '<p>Dużo śniegu</p>');
INSERT INTO items VALUES (4, 2, 'late', 'hash of A choir sings in the harbour', 1703682000000000, 1703685600000000, NULL, 'given', NULL, 'A choir sings in the harbour', 'https://news.example/late', 'https://news.example/late', 'Summary of late', NULL, NULL, NULL, '', '');
INSERT INTO stories VALUES (1, 1, 1703674800000000, 1703678400000000, 2, 2, NULL, 'Story 1', '', NULL, NULL);
INSERT INTO stories VALUES (2, 1, 1703667600000000, 1703667600000000, 1, 1, NULL, 'Story 2', '', NULL, NULL);
INSERT INTO appearances VALUES (1, 'one', 1, 'https://news.example/one', 1703678400000000);
INSERT INTO appearances VALUES (1, 'three', 3, 'https://news.example/three', 1703678400000000);
INSERT INTO appearances VALUES (1, 'two', 2, 'https://news.example/two', 1703678400000000);
INSERT INTO appearances VALUES (2, 'late', 4, 'https://news.example/late', 1703685600000000);
INSERT INTO appearances VALUES (2, 'x', 1, 'https://news.example/one', 1703678400000000);
INSERT INTO item_titles VALUES (1, 1, 'Strike closes the northern ports', 1703682000000000);
INSERT INTO unsorted_items VALUES (4);
INSERT INTO memberships VALUES (1, 1, 1, 0.0, 0.0, 'new', NULL, NULL, NULL);
INSERT INTO memberships VALUES (2, 1, 2, 0.0, 0.0, 'new', NULL, NULL, NULL);
INSERT INTO memberships VALUES (3, 2, 3, 0.0, 0.0, 'new', NULL, NULL, NULL);
INSERT INTO alembic_version VALUES ('0001');
INSERT INTO items_fts (items_fts) VALUES ('rebuild');
COMMIT;
