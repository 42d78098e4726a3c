import type { DsmClient } from "@dsm/client";
import type { RequestInfo } from "@dsm/delivery";
import { assertUser, DsmError, limits, type ListPage, parseFileTarget } from "@dsm/protocol";
import { Hono } from "hono";
import type { Access } from "./access.ts";
import { type LinkMaking, makeLink } from "./links-api.ts";

const filesPrefix = "/api/v1/files/";

interface Env {
  readonly Bindings: RequestInfo;
}

/** The JSON API, below /api/v1. */
export function apiApp(client: DsmClient, access: Access, links: LinkMaking): Hono<Env> {
  const app = new Hono<Env>();
  app.get("/files", async (c) => {
    access.assertMayWriteOrList(c.req.raw);
    return c.json(await listFiles(client, new URL(c.req.url).searchParams));
  });
  app.get("/files/:user/*", async (c) => {
    access.assertMayWriteOrList(c.req.raw);
    const { user, fileId } = parseFileTarget(c.req.url, filesPrefix);
    return c.json(await client.stat(user, fileId));
  });
  app.get("/cluster", async (c) => {
    access.assertMayWriteOrList(c.req.raw);
    return c.json(await client.status());
  });
  app.post("/links", (c) => {
    access.assertMayWriteOrList(c.req.raw);
    return makeLink(links, c.req.raw, c.env.remoteAddress);
  });
  return app;
}

const listParameters = new Set(["user", "prefix", "after", "limit"]);

/** @throws DsmError BAD_REQUEST for a parameter that is missing, unknown or out of bounds */
function listFiles(client: DsmClient, query: URLSearchParams): Promise<ListPage> {
  for (const name of query.keys()) {
    if (!listParameters.has(name)) throw badParameter(name, "is unknown");
  }
  const user = query.get("user");
  if (user === null) throw badParameter("user", "is missing");
  const limit = query.get("limit") ?? String(limits.listDefault);
  const limitNumber = /^\d{1,6}$/.test(limit) ? Number(limit) : 0;
  if (limitNumber < 1 || limitNumber > limits.listMax) {
    throw badParameter("limit", `must be a number from 1 to ${limits.listMax}`);
  }
  const prefix = query.get("prefix");
  const after = query.get("after");
  return client.list({
    user: assertUser(user),
    limit: limitNumber,
    ...(prefix === null ? {} : { prefix: bounded("prefix", prefix) }),
    ...(after === null ? {} : { after: bounded("after", after) }),
  });
}

function bounded(name: string, value: string): string {
  if (Buffer.byteLength(value) <= limits.fileIdMaxBytes) return value;
  throw badParameter(name, `has more than ${limits.fileIdMaxBytes} bytes`);
}

function badParameter(name: string, why: string): DsmError {
  return new DsmError("BAD_REQUEST", `the parameter ${name} ${why}`, {
    remedy: "use /api/v1/files?user=U&prefix=P&limit=N&after=ID",
  });
}
