import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { z } from "zod";

const folder = resolve(import.meta.dir, "../../deploy/docker");

const duration = z.string().regex(/^\d+s$/);

const healthcheck = z.union([
  z.strictObject({ disable: z.literal(true) }),
  z.strictObject({
    test: z.tuple([z.literal("CMD"), z.string()], z.string()),
    interval: duration,
    timeout: duration,
    retries: z.int(),
    start_period: duration,
  }),
]);

const service = z.strictObject({
  image: z.string(),
  build: z.strictObject({ context: z.string(), dockerfile: z.string() }).optional(),
  command: z.array(z.string()).optional(),
  environment: z.record(z.string(), z.string()),
  secrets: z.array(z.string()),
  volumes: z.array(z.string()).optional(),
  ports: z.array(z.string().regex(/^\d+:\d+$/)).optional(),
  depends_on: z
    .record(
      z.string(),
      z.strictObject({ condition: z.enum(["service_healthy", "service_completed_successfully"]) }),
    )
    .optional(),
  healthcheck,
  restart: z.enum(["no", "unless-stopped"]),
  stop_grace_period: duration,
  init: z.boolean().optional(),
  read_only: z.boolean().optional(),
  tmpfs: z.array(z.string()).optional(),
  cap_drop: z.array(z.string()).optional(),
  security_opt: z.array(z.string()).optional(),
});

/** What compose.yaml uses of the Compose specification; whatever else stands there is a mistake. */
const composeFile = z.strictObject({
  name: z.string(),
  services: z.record(z.string(), service),
  volumes: z.record(z.string(), z.null()),
  secrets: z.record(z.string(), z.strictObject({ file: z.string() })),
});

export type ComposeFile = z.infer<typeof composeFile>;
export type ComposeService = z.infer<typeof service>;

export const readDocker = (name: string) => readFile(resolve(folder, name), "utf8");

/** @throws ZodError with every mistake and where it is */
export function parseCompose(text: string): ComposeFile {
  const document = z.record(z.string(), z.unknown()).parse(Bun.YAML.parse(text));
  const shown = Object.entries(document).filter(([name]) => !name.startsWith("x-"));
  return composeFile.parse(Object.fromEntries(shown));
}

/** Names of services in the order in which Compose starts them. @throws Error for a circle */
export function startOrder({ services }: ComposeFile): string[] {
  const order: string[] = [];
  const visit = (name: string, above: readonly string[]) => {
    if (above.includes(name)) throw new Error(`${[...above, name].join(" waits for ")}`);
    const found = services[name];
    if (found === undefined) throw new Error(`there is no service ${name}`);
    for (const other of Object.keys(found.depends_on ?? {})) visit(other, [...above, name]);
    if (!order.includes(name)) order.push(name);
  };
  for (const name of Object.keys(services)) visit(name, []);
  return order;
}
