import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { errorOf } from "./handshake.ts";
import { type MessageName, messages } from "./messages.ts";
import { arbitraryBody } from "./testing/arbitrary-body.ts";

const names = Object.keys(messages) as MessageName[];

describe("what a newer peer adds is left aside", () => {
  test.each(names)("in %s, in every object of request and response", (name) => {
    for (const schema of [messages[name].request, messages[name].response]) {
      fc.assert(
        fc.property(arbitraryBody(schema), ({ known, sent }) => {
          expect(sent).not.toEqual(known);
          expect(schema.parse(sent)).toEqual(known as never);
        }),
      );
    }
  });

  test("an error with a code of its own and more fields keeps its words", () => {
    const body = { code: "NOT_INVENTED_YET", message: "m", remedy: "r", newer: { a: 1 } };
    const error = errorOf({ kind: "error", type: 1, requestId: 1, body });
    expect(error).toMatchObject({ code: "INTERNAL", message: "m", remedy: "r" });
  });
});
