-- As in 0001: each table is altered by one statement, which is skipped where it was done already.
CREATE TABLE IF NOT EXISTS `storage_groups` (
	`name` varbinary(64) NOT NULL,
	`id` varbinary(36) NOT NULL,
	`created_at_ms` bigint unsigned NOT NULL,
	CONSTRAINT `storage_groups_name` PRIMARY KEY(`name`),
	CONSTRAINT `storage_groups_id_unique` UNIQUE(`id`)
);
--> statement-breakpoint
SET @dsm_alter = IF(
	(SELECT COUNT(*) FROM information_schema.columns WHERE table_schema = DATABASE()
		AND table_name = 'user_usage' AND column_name = 'moves_to') = 0,
	'ALTER TABLE `user_usage` ADD `moves_to` varbinary(64), ADD INDEX `user_usage_moves` (`moves_to`,`user_name`,`group_name`)',
	'DO 0');
--> statement-breakpoint
PREPARE dsm_alter FROM @dsm_alter;
--> statement-breakpoint
EXECUTE dsm_alter;
--> statement-breakpoint
DEALLOCATE PREPARE dsm_alter;
--> statement-breakpoint
SET @dsm_alter = IF(
	(SELECT COUNT(*) FROM information_schema.columns WHERE table_schema = DATABASE()
		AND table_name = 'versions' AND column_name = 'modified_at_ms') = 0,
	'ALTER TABLE `versions` ADD `modified_at_ms` bigint unsigned',
	'DO 0');
--> statement-breakpoint
PREPARE dsm_alter FROM @dsm_alter;
--> statement-breakpoint
EXECUTE dsm_alter;
--> statement-breakpoint
DEALLOCATE PREPARE dsm_alter;
--> statement-breakpoint
UPDATE `user_usage` SET `moves_to` = (SELECT u.`group_name` FROM `users` AS u
	WHERE u.`name` = `user_usage`.`user_name` AND u.`group_name` <> `user_usage`.`group_name`);
