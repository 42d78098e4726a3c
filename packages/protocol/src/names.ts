import { DsmError } from "./errors.ts";
import { limits } from "./limits.ts";

const userPattern = /^[A-Za-z0-9_-][A-Za-z0-9._-]*$/;
// Unicode category Cc: C0, DEL and C1.
const controlPattern = /\p{Cc}/u;

/** True for names of users, groups and storages: design, section 4.4. */
export function isName(value: string): boolean {
  return value.length <= limits.userMaxChars && userPattern.test(value);
}

/** Why `value` is no file id, or undefined when it is one: design, section 4.4. */
export function fileIdFault(value: string): string | undefined {
  if (value === "") return "it is empty";
  if (!value.isWellFormed()) return "it is not valid Unicode";
  const sizeBytes = Buffer.byteLength(value);
  if (sizeBytes > limits.fileIdMaxBytes) {
    return `it has ${sizeBytes} bytes of UTF-8 and at most ${limits.fileIdMaxBytes} are allowed`;
  }
  if (controlPattern.test(value)) return "it holds a control character";
  for (const segment of value.split("/")) {
    if (segment === "") return "it has an empty segment";
    if (segment === "." || segment === "..") return `it has a segment "${segment}"`;
  }
  return undefined;
}

const nameRule = `use 1 to ${limits.userMaxChars} of A-Z a-z 0-9 . _ - with no leading dot`;

/** @throws DsmError BAD_NAME */
export function assertUser(user: string): string {
  if (isName(user)) return user;
  throw new DsmError("BAD_NAME", `${quote(user)} is not a user name`, {
    remedy: nameRule,
  });
}

/** @throws DsmError BAD_NAME */
export function assertGroup(group: string): string {
  if (isName(group)) return group;
  throw new DsmError("BAD_NAME", `${quote(group)} is not a group name`, {
    remedy: nameRule,
  });
}

/** @throws DsmError BAD_NAME */
export function assertFileId(fileId: string): string {
  const fault = fileIdFault(fileId);
  if (fault === undefined) return fileId;
  throw new DsmError("BAD_NAME", `${quote(fileId)} is not a file id: ${fault}`, {
    remedy: "use 1 to 512 bytes of UTF-8, segments separated by /",
  });
}

const quotedMaxChars = 80;

/** A value from outside, made safe and short for an error line. */
function quote(value: string): string {
  const short = value.length > quotedMaxChars ? `${value.slice(0, quotedMaxChars)}…` : value;
  return JSON.stringify(short);
}
