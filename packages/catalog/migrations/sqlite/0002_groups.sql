CREATE TABLE `storage_groups` (
	`name` text PRIMARY KEY NOT NULL,
	`id` text NOT NULL,
	`created_at_ms` integer NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `storage_groups_id_unique` ON `storage_groups` (`id`);--> statement-breakpoint
ALTER TABLE `user_usage` ADD `moves_to` text;--> statement-breakpoint
CREATE INDEX `user_usage_moves` ON `user_usage` (`moves_to`,`user_name`,`group_name`);--> statement-breakpoint
ALTER TABLE `versions` ADD `modified_at_ms` integer;
--> statement-breakpoint
UPDATE `user_usage` SET `moves_to` = (SELECT u.`group_name` FROM `users` AS u
	WHERE u.`name` = `user_usage`.`user_name` AND u.`group_name` <> `user_usage`.`group_name`);
