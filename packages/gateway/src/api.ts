import type { DsmClient } from "@dsm/client";
import type { RequestInfo } from "@dsm/delivery";
import { parseFileTarget } from "@dsm/protocol";
import { Hono } from "hono";
import type { Access } from "./access.ts";
import { pageQuery, userQuery } from "./api-query.ts";
import { type LinkMaking, makeLink } from "./links-api.ts";
import type { LocatedFiles } from "./located-files.ts";
import { emptyTrashed, listTrash, restoreTrashed } from "./trash-api.ts";

const filesPrefix = "/api/v1/files/";
const filesUsage = "/api/v1/files?user=U&prefix=P&limit=N&after=ID";
const usageUsage = "/api/v1/usage?user=U";

interface Env {
  readonly Bindings: RequestInfo;
}

interface ApiParts {
  readonly client: DsmClient;
  readonly access: Access;
  readonly links: LinkMaking;
  readonly files: Pick<LocatedFiles, "forget">;
}

/** The JSON API, below /api/v1. */
export function apiApp({ client, access, links, files }: ApiParts): Hono<Env> {
  const app = new Hono<Env>();
  app.get("/files", async (c) => {
    access.assertMayWriteOrList(c.req.raw);
    return c.json(await client.list(pageQuery(queryOf(c.req.raw), filesUsage)));
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
  app.get("/usage", async (c) => {
    access.assertMayWriteOrList(c.req.raw);
    return c.json(await client.usage(userQuery(queryOf(c.req.raw), usageUsage)));
  });
  app.get("/trash", async (c) => {
    access.assertMayWriteOrList(c.req.raw);
    return c.json(await listTrash(client, queryOf(c.req.raw)));
  });
  app.post("/trash/:user/*", (c) => {
    access.assertMayWriteOrList(c.req.raw);
    return restoreTrashed(client, files, c.req.raw);
  });
  app.delete("/trash/:user/*", (c) => {
    access.assertMayWriteOrList(c.req.raw);
    return emptyTrashed(client, c.req.raw);
  });
  app.post("/links", (c) => {
    access.assertMayWriteOrList(c.req.raw);
    return makeLink(links, c.req.raw, c.env.remoteAddress);
  });
  return app;
}

function queryOf(request: Request): URLSearchParams {
  return new URL(request.url).searchParams;
}
