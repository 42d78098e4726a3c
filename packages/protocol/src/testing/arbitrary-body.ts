import fc from "fast-check";
import { z } from "zod";
import { blobIdFromNumber } from "../blob-id.ts";
import { damageSchema } from "../damage.ts";
import { blobIdSchema, fileIdSchema, nameSchema } from "../file-info.ts";

/** A body as this side knows it, and as a newer peer sends it. */
export interface BodyOfNewer {
  readonly known: unknown;
  /** The same with more fields, in every object of it. */
  readonly sent: unknown;
}

/** Schemas whose rules are code, which no generator can read. */
const special = new Map<z.core.$ZodType, fc.Arbitrary<unknown>>([
  [nameSchema, fc.constantFrom("a", "Ann-7", "x".repeat(64))],
  [fileIdSchema, fc.constantFrom("a", "dir/ü 7.mp4", "x".repeat(512))],
  [blobIdSchema, fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }).map(blobIdFromNumber)],
  [damageSchema, fc.constantFrom("*", "3,17-20")],
]);

const moreFields = fc.dictionary(
  fc.stringMatching(/^newer[A-Z][a-z]{1,8}$/),
  fc.jsonValue({ maxDepth: 2 }),
  { minKeys: 1, maxKeys: 3 },
);

/** Bodies that fit a schema. @throws Error for a kind of schema that no message had before */
export function arbitraryBody(schema: z.core.$ZodType): fc.Arbitrary<BodyOfNewer> {
  const leaf = special.get(schema) ?? leafOf(schema);
  if (leaf !== undefined) return leaf.map((value) => ({ known: value, sent: value }));
  if (schema instanceof z.ZodObject) return objectOf(schema.shape);
  if (schema instanceof z.ZodArray) {
    // The rows of this table demand one item at most.
    return fc.array(arbitraryBody(schema.element), { minLength: 1, maxLength: 3 }).map((items) => ({
      known: items.map(({ known }) => known),
      sent: items.map(({ sent }) => sent),
    }));
  }
  if (schema instanceof z.ZodNullable) {
    return fc.oneof(fc.constant({ known: null, sent: null }), arbitraryBody(schema.unwrap()));
  }
  throw new Error(`no arbitrary for ${schema._zod.def.type}: add one here`);
}

function objectOf(shape: z.core.$ZodShape): fc.Arbitrary<BodyOfNewer> {
  const fields = Object.entries(shape).map(([name, field]) => {
    const isOptional = field instanceof z.ZodOptional;
    const body = arbitraryBody(isOptional ? field.unwrap() : field);
    const maybe = isOptional ? fc.option(body, { nil: undefined }) : body;
    return maybe.map((value) => (value === undefined ? [] : [[name, value] as const]));
  });
  return fc.tuple(fc.tuple(...fields), moreFields).map(([chosen, more]) => {
    const pairs = chosen.flat();
    return {
      known: Object.fromEntries(pairs.map(([name, { known }]) => [name, known])),
      sent: { ...more, ...Object.fromEntries(pairs.map(([name, { sent }]) => [name, sent])) },
    };
  });
}

function leafOf(schema: z.core.$ZodType): fc.Arbitrary<unknown> | undefined {
  if (schema instanceof z.ZodURL) return fc.webUrl();
  if (schema instanceof z.ZodEnum) return fc.constantFrom(...schema.options);
  if (schema instanceof z.ZodBoolean) return fc.boolean();
  if (schema instanceof z.ZodNumber) {
    const { minValue, maxValue } = schema;
    const max = Math.min(maxValue ?? Infinity, Number.MAX_SAFE_INTEGER);
    return fc.integer({ min: Math.max(minValue ?? 0, 1), max });
  }
  if (!(schema instanceof z.ZodString)) return undefined;
  const { pattern } = z.toJSONSchema(schema);
  if (pattern !== undefined) return fc.stringMatching(new RegExp(pattern));
  const maxLength = Math.min(schema.maxLength ?? 40, 40);
  return fc.string({ minLength: schema.minLength ?? 0, maxLength });
}
