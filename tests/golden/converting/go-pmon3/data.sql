CREATE TABLE `processes` (`created_at` datetime, `updated_at` datetime, `log` text, `name` text UNIQUE, `process_file` text,
  `args` text, `env_vars` text, `username` text, `memory_usage` text, `cpu_usage` text, `dependencies` text, `status` integer,
  `id` integer PRIMARY KEY, `pid` integer, `uid` integer, `gid` integer, `auto_restart` numeric, `colour` text);
CREATE TABLE `groups` (`created_at` datetime, `updated_at` datetime, `deleted_at` datetime, `name` text, `id` integer PRIMARY KEY);
CREATE TABLE `process_groups` (`process_id` integer, `group_id` integer, PRIMARY KEY (`process_id`, `group_id`));
INSERT INTO processes VALUES ('2024-05-03', '2024-05-03', '/var/log/pmond/acf3f83.log', 'happac', '/usr/local/bin/happac',
  '-h node-1 -p 5557', 'A=1 B=2', 'vagrant', '', '', '', 2, 1, 4952, 1000, 1000, 1, 'red');
INSERT INTO processes VALUES ('2024-05-03', '2024-05-03', '/var/log/pmond/b.log', 'web', '/srv/web', '--title "two words"', '',
  'root', '', '', 'happac gone', 3, 2, 0, 0, 0, 0, NULL);
INSERT INTO groups VALUES ('2024-05-03', '2024-05-03', NULL, 'site', 1);
INSERT INTO process_groups VALUES (1, 1);
