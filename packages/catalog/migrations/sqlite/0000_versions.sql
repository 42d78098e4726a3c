CREATE TABLE `id_segments` (
	`name` text PRIMARY KEY NOT NULL,
	`next` integer NOT NULL
);
--> statement-breakpoint
CREATE TABLE `users` (
	`name` text PRIMARY KEY NOT NULL,
	`group_name` text NOT NULL,
	`assigned_at_ms` integer NOT NULL
);
--> statement-breakpoint
CREATE TABLE `versions` (
	`user` text NOT NULL,
	`file_id` text NOT NULL,
	`version` integer NOT NULL,
	`id` text NOT NULL,
	`group_name` text NOT NULL,
	`deleted` integer NOT NULL,
	`size_bytes` integer NOT NULL,
	`sha256` text NOT NULL,
	`media_type` text NOT NULL,
	`at_ms` integer NOT NULL,
	`replaces` text,
	`trash_group` text,
	PRIMARY KEY(`user`, `file_id`, `version`)
);
--> statement-breakpoint
CREATE UNIQUE INDEX `versions_id_unique` ON `versions` (`id`);--> statement-breakpoint
CREATE INDEX `versions_trash` ON `versions` (`trash_group`,`at_ms`);