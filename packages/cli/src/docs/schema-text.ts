import { blobIdSchema, fileIdSchema, fileInfoSchema, nameSchema } from "@dsm/protocol";
import { z } from "zod";

/** Schemas that have a name of their own in docs/PROTOCOL.md. */
const named = new Map<z.core.$ZodType, string>([
  [nameSchema, "Name"],
  [fileIdSchema, "FileId"],
  [blobIdSchema, "BlobId"],
  [fileInfoSchema, "FileInfo"],
]);

type JsonSchema = z.core.JSONSchema.BaseSchema;

/**
 * A schema as people write types, from the JSON Schema that zod makes of it.
 * @param expanded show what is in it although it has a name
 */
export function schemaText(schema: z.core.$ZodType, expanded = false): string {
  const json = z.toJSONSchema(schema, {
    unrepresentable: "any",
    override: ({ zodSchema, jsonSchema }) => {
      const name = named.get(zodSchema);
      if (name !== undefined && !(expanded && zodSchema === schema)) jsonSchema.title = name;
    },
  });
  return typeText(json, "");
}

function typeText(schema: JsonSchema, indent: string): string {
  if (schema.title !== undefined) return schema.title;
  if (schema.enum !== undefined) return schema.enum.map((it) => JSON.stringify(it)).join(" | ");
  if (schema.type === "object") return objectText(schema, indent);
  if (schema.type === "array") return arrayText(schema, indent);
  if (schema.type === "integer") return integerText(schema);
  if (schema.type === "string") return stringText(schema);
  return typeof schema.type === "string" ? schema.type : "unknown";
}

function objectText({ properties = {}, required = [] }: JsonSchema, indent: string): string {
  const inner = `${indent}  `;
  const lines = Object.entries(properties).map(([key, value]) => {
    const mark = required.includes(key) ? "" : "?";
    return `${inner}${key}${mark}: ${typeText(asSchema(value), inner)}`;
  });
  return lines.length === 0 ? "{}" : `{\n${lines.join("\n")}\n${indent}}`;
}

function arrayText({ items, minItems }: JsonSchema, indent: string): string {
  const least = minItems === undefined ? "" : ` (at least ${minItems})`;
  return `list${least} of ${typeText(asSchema(Array.isArray(items) ? items[0] : items), indent)}`;
}

function integerText({ minimum, exclusiveMinimum, maximum }: JsonSchema): string {
  const least =
    minimum ?? (typeof exclusiveMinimum === "number" ? exclusiveMinimum + 1 : undefined);
  const most = maximum === Number.MAX_SAFE_INTEGER ? "2^53 - 1" : maximum;
  return least === undefined ? "integer" : `integer from ${least} to ${most}`;
}

function stringText({ format, pattern, maxLength }: JsonSchema): string {
  if (format === "uri") return "URL";
  if (pattern !== undefined) return `string like ${pattern}`;
  return maxLength === undefined ? "string" : `string of at most ${maxLength} characters`;
}

function asSchema(value: JsonSchema | boolean | undefined): JsonSchema {
  return typeof value === "object" ? value : {};
}
