-- MySQL commits every CREATE by itself. IF NOT EXISTS, and the index inside the table, let a
-- migration that was cut off in the middle be run again.
CREATE TABLE IF NOT EXISTS `id_segments` (
	`name` varbinary(64) NOT NULL,
	`next` bigint unsigned NOT NULL,
	CONSTRAINT `id_segments_name` PRIMARY KEY(`name`)
);
--> statement-breakpoint
CREATE TABLE IF NOT EXISTS `users` (
	`name` varbinary(64) NOT NULL,
	`group_name` varbinary(64) NOT NULL,
	`assigned_at_ms` bigint unsigned NOT NULL,
	CONSTRAINT `users_name` PRIMARY KEY(`name`)
);
--> statement-breakpoint
CREATE TABLE IF NOT EXISTS `versions` (
	`user` varbinary(64) NOT NULL,
	`file_id` varbinary(512) NOT NULL,
	`version` bigint unsigned NOT NULL,
	`id` char(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	`group_name` varbinary(64) NOT NULL,
	`deleted` tinyint NOT NULL,
	`size_bytes` bigint unsigned NOT NULL,
	`sha256` char(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	`media_type` varbinary(508) NOT NULL,
	`at_ms` bigint unsigned NOT NULL,
	`replaces` char(16) CHARACTER SET ascii COLLATE ascii_bin,
	`trash_group` varbinary(64),
	CONSTRAINT `versions_user_file_id_version_pk` PRIMARY KEY(`user`,`file_id`,`version`),
	CONSTRAINT `versions_id_unique` UNIQUE(`id`),
	INDEX `versions_trash` (`trash_group`,`at_ms`)
);
