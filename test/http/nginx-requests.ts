import fc from "fast-check";
import type { Truth } from "./conditional-model.ts";
import type { Field } from "./wire.ts";

/** The size of a file that both servers hold is its name; one is larger than 2^32. */
export const sizes = [0, 1, 10_000, 1024 ** 2, 2 ** 32 + 70_000] as const;

/** Of the version, on either side: each has its own ETag, and both have the same date. */
export interface Validators {
  readonly etag: string;
  readonly date: string;
}

/** A header's value for a side, and whether its condition holds. */
export interface Condition {
  readonly kind: string;
  readonly truth: Truth;
  valueFor(side: Validators): string;
}

export interface Generated {
  readonly size: (typeof sizes)[number];
  readonly method: "GET" | "HEAD";
  /** One per line. */
  readonly ranges: readonly string[];
  readonly ifMatch: Condition | undefined;
  readonly ifUnmodifiedSince: Condition | undefined;
  readonly ifNoneMatch: Condition | undefined;
  readonly ifModifiedSince: Condition | undefined;
  readonly ifRange: Condition | undefined;
  readonly others: readonly Field[];
}

export function fieldsFor(request: Generated, side: Validators): Field[] {
  const conditions: ReadonlyArray<readonly [string, Condition | undefined]> = [
    ["If-Match", request.ifMatch],
    ["If-Unmodified-Since", request.ifUnmodifiedSince],
    ["If-None-Match", request.ifNoneMatch],
    ["If-Modified-Since", request.ifModifiedSince],
    ["If-Range", request.ifRange],
  ];
  return [
    ...request.ranges.map((value): Field => ["Range", value]),
    ...conditions.flatMap(([name, condition]): Field[] =>
      condition === undefined ? [] : [[name, condition.valueFor(side)]],
    ),
    ...request.others,
  ];
}

const tag = (kind: string, truth: Truth, of: (etag: string) => string): Condition => ({
  kind,
  truth,
  valueFor: ({ etag }) => of(etag),
});

const matching: Condition[] = [
  tag("own", true, (etag) => etag),
  tag("any", true, () => "*"),
  tag("in a list", true, (etag) => `"x", ${etag},"y"`),
  tag("other", false, () => '"x"'),
  tag("others", false, () => '"x", "y"'),
  tag("weak", false, (etag) => `W/${etag}`),
  tag("no tag", false, () => "x"),
];

/** Weak comparison, and true when nothing matches (RFC 9110, section 13.1.2). */
const notMatching: Condition[] = matching.map((condition) => ({
  ...condition,
  truth: condition.kind === "weak" ? false : !condition.truth,
}));

const shifted = (date: string, byS: number) =>
  new Date(Date.parse(date) + byS * 1000).toUTCString();
const when = (kind: string, truth: Truth, of: (date: string) => string): Condition => ({
  kind,
  truth,
  valueFor: ({ date }) => of(date),
});

const modifiedSince: Condition[] = [
  when("same date", false, (date) => date),
  when("earlier", true, (date) => shifted(date, -1)),
  when("later", false, (date) => shifted(date, 1)),
  when("much earlier", true, () => "Sun, 06 Nov 1994 08:49:37 GMT"),
  when("no date", undefined, () => "yesterday"),
];

const unmodifiedSince = modifiedSince.map((condition) => ({
  ...condition,
  truth: condition.truth === undefined ? undefined : !condition.truth,
}));

const ranging: Condition[] = [
  tag("own", true, (etag) => etag),
  tag("other", false, () => '"x"'),
  tag("weak", false, (etag) => `W/${etag}`),
  tag("any", false, () => "*"),
  when("same date", true, (date) => date),
  when("earlier", false, (date) => shifted(date, -1)),
  when("later", false, (date) => shifted(date, 1)),
  when("no date", false, () => "yesterday"),
];

/** Positions where something changes, and any others. */
const position = (size: number) =>
  fc.oneof(
    { weight: 4, arbitrary: fc.integer({ min: 0, max: Math.max(0, size - 1) }).map(String) },
    {
      weight: 3,
      arbitrary: fc
        .constantFrom(0, 1, 255, 256, 65_536, size - 2, size - 1, size, size + 1, 2 ** 31, 2 ** 32)
        .map((value) => `${Math.max(0, value)}`),
    },
    {
      weight: 1,
      arbitrary: fc.constantFrom(
        "9223372036854775807",
        "9223372036854775808",
        "18446744073709551615",
        "18446744073709551616",
        "99999999999999999999999999999999",
        "000000000000000000000000000005",
      ),
    },
  );

const spec = (size: number) =>
  fc.oneof(
    {
      weight: 5,
      arbitrary: fc.tuple(position(size), position(size)).map(([a, b]) => {
        const inOrder = BigInt(a) <= BigInt(b);
        return inOrder ? `${a}-${b}` : `${b}-${a}`;
      }),
    },
    { weight: 2, arbitrary: position(size).map((first) => `${first}-`) },
    { weight: 2, arbitrary: position(size).map((length) => `-${length}`) },
    {
      weight: 1,
      arbitrary: fc.tuple(position(size), position(size)).map((pair) => pair.join("-")),
    },
  );

/** Short ones, so that many of them are still less than the file: nginx gives up past that. */
const shortSpec = (size: number) =>
  fc
    .tuple(fc.integer({ min: 0, max: Math.max(0, size - 1) }), fc.integer({ min: 0, max: 40 }))
    .map(([first, more]) => `${first}-${first + more}`);

const odd = fc.constantFrom(
  "bytes",
  "bytes=",
  "bytes=-",
  "bytes=a-b",
  "bytes=0-9;x",
  "bytes=--5",
  "bytes=0x0-5",
  "bytes= 0-5",
  "bytes=0 - 5",
  "bytes=0-5 ",
  "bytes=0-5,",
  "bytes=,0-5",
  "bytes=0-5,,7000-7005",
  "bytes=0-5, x",
  "BYTES=0-5",
  "items=0-5",
  "bytes:0-5",
  "none",
  "bytes=-0",
  "bytes=0-5,-0",
  "bytes=1-0",
);

const rangeLine = (size: number) =>
  fc.oneof(
    { weight: 6, arbitrary: spec(size).map((one) => `bytes=${one}`) },
    {
      weight: 3,
      arbitrary: fc
        .array(shortSpec(size), { minLength: 2, maxLength: 5 })
        .map((all) => `bytes=${all.join(",")}`),
    },
    {
      weight: 2,
      arbitrary: fc
        .array(spec(size), { minLength: 2, maxLength: 4 })
        .map((all) => `bytes=${all.join(", ")}`),
    },
    { weight: 2, arbitrary: odd },
    {
      weight: 1,
      arbitrary: fc
        .array(shortSpec(size), { minLength: 60, maxLength: 120 })
        .map((all) => `bytes=${all.join(",")}`),
    },
  );

const other = fc.constantFrom<Field>(
  ["Accept-Encoding", "gzip, deflate, br"],
  ["Accept-Encoding", "identity;q=0"],
  ["Accept", "text/html;q=0.1"],
  ["Accept-Language", "de"],
  ["Connection", "keep-alive"],
  ["Cache-Control", "no-cache"],
  ["Content-Range", "bytes 0-5/10"],
  ["Icy-MetaData", "1"],
);

/** Mostly none, so that ranges get through. */
function rarely(conditions: readonly Condition[]): fc.Arbitrary<Condition | undefined> {
  return fc.oneof(
    { weight: 4, arbitrary: fc.constant(undefined) },
    { weight: 1, arbitrary: fc.constantFrom(...conditions) },
  );
}

export const generated: fc.Arbitrary<Generated> = fc.constantFrom(...sizes).chain((size) =>
  fc.record({
    size: fc.constant(size),
    method: fc.constantFrom("GET", "GET", "GET", "GET", "GET", "HEAD"),
    ranges: fc.oneof(
      { weight: 2, arbitrary: fc.constant([]) },
      { weight: 12, arbitrary: rangeLine(size).map((line) => [line]) },
      { weight: 1, arbitrary: fc.tuple(rangeLine(size), rangeLine(size)) },
    ),
    ifMatch: rarely(matching),
    ifUnmodifiedSince: rarely(unmodifiedSince),
    ifNoneMatch: rarely(notMatching),
    ifModifiedSince: rarely(modifiedSince),
    ifRange: rarely(ranging),
    others: fc.uniqueArray(other, { maxLength: 2, selector: ([name]) => name }),
  }),
);
