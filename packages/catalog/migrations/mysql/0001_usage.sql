-- MySQL commits every CREATE and ALTER by itself, and has no ADD COLUMN IF NOT EXISTS as MariaDB
-- has. So each table is altered by one statement, which is skipped where it was done already: a
-- migration that was cut off in the middle can be run again.
CREATE TABLE IF NOT EXISTS `user_usage` (
	`user_name` varbinary(64) NOT NULL,
	`group_name` varbinary(64) NOT NULL,
	`live_files` bigint NOT NULL,
	`live_bytes` bigint NOT NULL,
	`trash_blobs` bigint NOT NULL,
	`trash_bytes` bigint NOT NULL,
	CONSTRAINT `user_usage_user_name_group_name_pk` PRIMARY KEY(`user_name`,`group_name`),
	INDEX `user_usage_group` (`group_name`)
);
--> statement-breakpoint
SET @dsm_alter = IF(
	(SELECT COUNT(*) FROM information_schema.columns WHERE table_schema = DATABASE()
		AND table_name = 'users' AND column_name = 'updated_at_ms') = 0,
	'ALTER TABLE `users` ADD `quota_bytes` bigint unsigned, ADD `updated_at_ms` bigint unsigned DEFAULT 0 NOT NULL, ADD INDEX `users_updated` (`group_name`,`updated_at_ms`)',
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
		AND table_name = 'versions' AND column_name = 'damage') = 0,
	'ALTER TABLE `versions` ADD `expires_at_ms` bigint unsigned, ADD `damage` varbinary(120), ADD INDEX `versions_expiry` (`group_name`,`expires_at_ms`), ADD INDEX `versions_damage` (`group_name`,`damage`)',
	'DO 0');
--> statement-breakpoint
PREPARE dsm_alter FROM @dsm_alter;
--> statement-breakpoint
EXECUTE dsm_alter;
--> statement-breakpoint
DEALLOCATE PREPARE dsm_alter;
--> statement-breakpoint
UPDATE `users` SET `updated_at_ms` = `assigned_at_ms`;
--> statement-breakpoint
DELETE FROM `user_usage`;
--> statement-breakpoint
INSERT INTO `user_usage`
	(`user_name`, `group_name`, `live_files`, `live_bytes`, `trash_blobs`, `trash_bytes`)
SELECT p.u, p.g, SUM(p.lf), SUM(p.lb), SUM(p.tf), SUM(p.tb)
FROM (
	SELECT v.user AS u, v.group_name AS g, 1 AS lf, v.size_bytes AS lb, 0 AS tf, 0 AS tb
	FROM versions AS v
	WHERE v.deleted = 0 AND NOT EXISTS (SELECT 1 FROM versions AS later
		WHERE later.user = v.user AND later.file_id = v.file_id AND later.version > v.version)
	UNION ALL
	SELECT v.user, v.trash_group, 0, 0, 1, COALESCE(o.size_bytes, 0)
	FROM versions AS v LEFT JOIN versions AS o ON o.id = v.replaces
	WHERE v.trash_group IS NOT NULL
) AS p GROUP BY p.u, p.g;
