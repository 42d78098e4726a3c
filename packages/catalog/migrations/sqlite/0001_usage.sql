CREATE TABLE `user_usage` (
	`user_name` text NOT NULL,
	`group_name` text NOT NULL,
	`live_files` integer NOT NULL,
	`live_bytes` integer NOT NULL,
	`trash_blobs` integer NOT NULL,
	`trash_bytes` integer NOT NULL,
	PRIMARY KEY(`user_name`, `group_name`)
);
--> statement-breakpoint
CREATE INDEX `user_usage_group` ON `user_usage` (`group_name`);--> statement-breakpoint
ALTER TABLE `users` ADD `quota_bytes` integer;--> statement-breakpoint
ALTER TABLE `users` ADD `updated_at_ms` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
CREATE INDEX `users_updated` ON `users` (`group_name`,`updated_at_ms`);--> statement-breakpoint
ALTER TABLE `versions` ADD `expires_at_ms` integer;--> statement-breakpoint
ALTER TABLE `versions` ADD `damage` text;--> statement-breakpoint
CREATE INDEX `versions_expiry` ON `versions` (`group_name`,`expires_at_ms`) WHERE "versions"."expires_at_ms" is not null;--> statement-breakpoint
CREATE INDEX `versions_damage` ON `versions` (`group_name`,`damage`) WHERE "versions"."damage" is not null;
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
