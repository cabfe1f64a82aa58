-- The state file of version 2, which has the runs of processes. Never edit: it must load for ever.
PRAGMA application_id = 1886220142;
PRAGMA user_version = 2;
BEGIN TRANSACTION;
CREATE TABLE "damaged" (
   "table_name" TEXT,
   "data" TEXT
);
CREATE TABLE "events" (
   "id" INTEGER PRIMARY KEY,
   "name" TEXT NOT NULL,
   "data" TEXT NOT NULL
);
INSERT INTO "events" VALUES(1,'web','{"id":1,"at":"2026-01-31T00:00:00.000Z","name":"web","type":"Normal","reason":"Started","message":"pid 4711","fields":{"pid":4711}}');
CREATE TABLE "groups" (
   "id" INTEGER PRIMARY KEY,
   "name" TEXT NOT NULL
);
INSERT INTO "groups" VALUES(1,'front');
CREATE TABLE "histories" (
   "name" TEXT PRIMARY KEY,
   "data" TEXT NOT NULL
);
INSERT INTO "histories" VALUES('web','{"name":"web","data":{"streak":2}}');
CREATE TABLE "instances" (
   "name" TEXT,
   "number" INTEGER,
   "data" TEXT NOT NULL,
   PRIMARY KEY ("name", "number")
);
INSERT INTO "instances" VALUES('web',7,'{"name":"web","number":7,"pid":4711,"start_ticks":123456,"boot_id":"boot","pidfd_inode":99,"revision":"abc","token":1,"started_monotonic":12.5,"started_at":"2026-01-31T00:00:00.000Z","log":"/var/log/web.log","spec":{"file":"/srv/web"}}');
CREATE TABLE "memberships" (
   "group_id" INTEGER,
   "process_id" INTEGER,
   PRIMARY KEY ("group_id", "process_id")
);
INSERT INTO "memberships" VALUES(1,1);
CREATE TABLE "meta" (
   "key" TEXT PRIMARY KEY,
   "value" TEXT NOT NULL
);
INSERT INTO "meta" VALUES('uuid','6f1d0c1e-0000-4000-8000-000000000001');
CREATE TABLE "processes" (
   "id" INTEGER PRIMARY KEY,
   "name" TEXT NOT NULL,
   "data" TEXT NOT NULL
);
INSERT INTO "processes" VALUES(1,'web','{"id":1,"name":"web","owner":"file:/srv/web.yaml","spec":{"file":"/srv/w\udcffb","env_vars":{"A":"\u00e4"}},"generation":3,"token":1,"hold":{"up":false,"by":"root","at":"2026-01-31T00:00:00.000Z","reason":"maintenance","until":null},"deferred":true,"deleting":false,"applied_spec":{"file":"/srv/web"},"file":"/srv/web.yaml","line":4,"column":5,"created_at":"2026-01-31T00:00:00.000Z","updated_at":"2026-01-31T00:00:00.000Z"}');
CREATE TABLE "revisions" (
   "number" INTEGER PRIMARY KEY,
   "set_name" TEXT NOT NULL,
   "data" TEXT NOT NULL,
   "content" BLOB NOT NULL
);
INSERT INTO "revisions" VALUES(1,'/srv','{"number":1,"set_name":"/srv","at":"2026-01-31T00:00:00.000Z","by":"root","summary":{"added":1}}',X'74657874');
CREATE TABLE "runs" (
   "name" TEXT,
   "number" INTEGER,
   "data" TEXT NOT NULL,
   PRIMARY KEY ("name", "number")
);
INSERT INTO "runs" VALUES('web',6,'{"name":"","number":6,"started_at":"2026-01-31T00:00:00.000Z","ended_at":"2026-01-31T00:00:01.000Z","duration_seconds":1.0,"outcome":"failed","exit_code":3,"exit_signal":null,"by":"ana"}');
CREATE TABLE "sources" (
   "path" TEXT PRIMARY KEY,
   "data" TEXT NOT NULL,
   "content" BLOB NOT NULL
);
INSERT INTO "sources" VALUES('/srv/w\udcffb.yaml','{"path":"/srv/w\udcffb.yaml","set_name":"/srv","digest":"digest","accepted":false,"diagnostics":[{"line":3}],"checked_at":"2026-01-31T00:00:00.000Z","version":2}',X'00FF');
CREATE UNIQUE INDEX "idx_processes_name"
    ON "processes" ("name");
CREATE UNIQUE INDEX "idx_groups_name"
    ON "groups" ("name");
CREATE INDEX "idx_events_name_id"
    ON "events" ("name", "id");
CREATE INDEX "idx_revisions_set_name_number"
    ON "revisions" ("set_name", "number");
COMMIT;
