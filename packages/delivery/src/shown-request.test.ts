import { expect, test } from "bun:test";
import type { DsmError } from "@dsm/protocol";
import { serveHttp } from "./http-server.ts";
import { shownRequest } from "./shown-request.ts";
import { engines } from "./testing/engines.ts";

test("a request is shown without what may be a right", () => {
  const url = "https://h:1/media/~exp=1&sig=SECRET/ann/a~b?sig=SECRET#SECRET";
  expect(shownRequest("GET", url)).toBe("GET https://h:1/media/~…/ann/a~b");
  expect(shownRequest("GET", "/media/ann/f?capability=SECRET")).toBe("GET /media/ann/f");
});

test.each(engines)("what fails is told of without it, %s", async (_name, engine) => {
  const faults: DsmError[] = [];
  await using server = await serveHttp({
    ...engine,
    hostname: "127.0.0.1",
    port: 0,
    fetch: () => {
      throw new Error("on purpose");
    },
    onFault: (error) => faults.push(error),
  });
  const url = `${server.url}/media/~sig=SECRET/ann/f?capability=SECRET`;
  const answer = await fetch(url, { tls: { rejectUnauthorized: false } });
  expect(answer.status).toBe(500);
  expect(faults.map((error) => error.message).join()).toContain("/ann/f failed: on purpose");
  expect(
    JSON.stringify([faults.map((error) => error.sentence), await answer.text()]),
  ).not.toContain("SECRET");
});
