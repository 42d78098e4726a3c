import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { DsmError, type ErrorCode, errorTable, isErrorCode, systemErrorCode } from "./errors.ts";

const codes = Object.keys(errorTable) as ErrorCode[];

describe("the error table", () => {
  test.each(codes)("%s has an HTTP status of an error, an exit code and a title", (code) => {
    const { http, exit, title } = errorTable[code];
    expect(code).toMatch(/^[A-Z]+(?:_[A-Z]+)*$/);
    expect(http).toBeWithin(400, 600);
    expect(exit).toBeWithin(1, 7);
    expect(title.length).toBeWithin(3, 60);
  });

  test("an unreachable or unavailable cluster is exit code 5, and worth another try", () => {
    const five = codes.filter((code) => errorTable[code].exit === 5);
    expect(five.filter((code) => !errorTable[code].retryable)).toEqual([]);
  });

  test("knows its codes and no inherited name", () => {
    expect(codes.every(isErrorCode)).toBe(true);
    for (const other of ["toString", "__proto__", "", "timeout", 5, null, undefined, {}]) {
      expect(isErrorCode(other)).toBe(false);
    }
  });
});

/** What is left of an error once it was thrown and its stack was read. */
function afterThrow(error: DsmError): unknown[] {
  try {
    throw error;
  } catch (caught) {
    return [(caught as DsmError).stack?.length !== 0, (caught as DsmError).sentence];
  }
}

describe("a DsmError", () => {
  test("crosses the wire with code, message and remedy, and nothing of the machine", () =>
    fc.assert(
      fc.property(
        fc.constantFrom(...codes),
        fc.string(),
        fc.option(fc.string(), { nil: undefined }),
        (code, message, remedy) => {
          const error = new DsmError(code, message, { remedy, cause: new Error("inside") });
          const wire = JSON.parse(JSON.stringify(error.toWire())) as ReturnType<
            typeof error.toWire
          >;
          expect(wire).toEqual(
            remedy === undefined ? { code, message } : { code, message, remedy },
          );
          const back = DsmError.fromWire(wire);
          expect([back.code, back.message, back.remedy, back.http, back.exit, back.cause]).toEqual([
            code,
            message,
            remedy,
            errorTable[code].http,
            errorTable[code].exit,
            undefined,
          ]);
        },
      ),
    ));

  // Bun's errors have a `line` of their own, the line of the source.
  test("is one line with its remedy, before and after it was thrown", () => {
    expect([
      new DsmError("TIMEOUT", "too late").sentence,
      new DsmError("TIMEOUT", "too late", { remedy: "wait" }).sentence,
      afterThrow(new DsmError("TIMEOUT", "too late", { remedy: "wait" })),
    ]).toEqual(["too late", "too late; wait", [true, "too late; wait"]]);
  });

  test("of any other thrown value is INTERNAL and keeps it as the cause", () => {
    const inside = new TypeError("x is undefined");
    const own = new DsmError("CONFLICT", "changed");
    expect(DsmError.from(own, "writing")).toBe(own);
    expect(DsmError.from(inside, "writing")).toMatchObject({
      code: "INTERNAL",
      message: "writing failed: x is undefined",
      cause: inside,
    });
    expect(DsmError.from("text", "writing").message).toBe("writing failed: text");
  });
});

test("the code of a system error is read, and nothing else is taken for one", async () => {
  const missing = await import("node:fs/promises").then(({ stat }) =>
    stat("/no/such/file").catch((thrown: unknown) => thrown),
  );
  const numbered = Object.assign(new Error("odd"), { code: 5 });
  expect([missing, new Error("plain"), numbered, { code: "X" }, null].map(systemErrorCode)).toEqual(
    ["ENOENT", undefined, undefined, undefined, undefined],
  );
});
