import type { Route } from "@dsm/delivery";

const media: Route = { methods: ["GET", "HEAD", "PUT", "DELETE"], readByAnyOrigin: true };
const looks: Route = { methods: ["GET", "HEAD"], readByAnyOrigin: false };
const trash: Route = { methods: ["POST", "DELETE"], readByAnyOrigin: false };
const links: Route = { methods: ["POST"], readByAnyOrigin: false };
const others = new Set(["/healthz", "/readyz", "/metrics"]);

/** The paths of the gateway and what may be done there; undefined where there is nothing. */
export function routeOf(path: string): Route | undefined {
  if (path.startsWith("/media/")) return media;
  if (path === "/api/v1/links") return links;
  if (path.startsWith("/api/v1/trash/")) return trash;
  return path.startsWith("/api/v1/") || others.has(path) ? looks : undefined;
}
