import {
  encodeFrame,
  errorTable,
  fileInfoSchema,
  frameHeaderBytes,
  frameKinds,
  framingVersion,
  limits,
  messages,
  protocolFeatures,
  protocolVersions,
} from "@dsm/protocol";
import { markdownTable } from "./markdown-table.ts";
import { schemaText } from "./schema-text.ts";

/** docs/PROTOCOL.md. */
export function protocolMarkdown(): string {
  return `# Protocol

Made from the tables in packages/protocol by \`bun run docs\`. Do not edit it by hand.

Commands travel as frames over TCP; bytes travel over HTTP. This page is about the frames, and about the error codes, which are the same on both.

${frames()}
${handshake()}
${changes()}
${messageList()}
${errors()}
${limitList()}`;
}

function frames(): string {
  const kinds = Object.entries(frameKinds).map(([kind, number]) => [String(number), kind]);
  const body = { kind: "request", type: messages.ping.type, requestId: 7, body: {} } as const;
  const bytes = encodeFrame(body).toHex().match(/../g)?.join(" ") ?? "";
  return `## Frames

A frame is a header of ${frameHeaderBytes} bytes, its numbers big-endian, and a body of JSON in UTF-8 (RFC 8259). Framing version: ${framingVersion}.

${markdownTable(
  ["offset", "bytes", "field"],
  [
    ["0", "2", "magic `d5 4d`"],
    ["2", "1", "framing version"],
    ["3", "1", "kind"],
    ["4", "2", "message type, 0 in the handshake"],
    ["6", "2", "reserved, 0"],
    ["8", "4", "request id, chosen by the asker and repeated in the answer"],
    ["12", "4", "length of the body in bytes"],
    ["16", "", "body"],
  ],
)}

Kinds:

${markdownTable(["number", "kind"], kinds)}

A \`ping\` with request id 7 on the wire:

\`\`\`text
${bytes}
\`\`\`

Many requests may be under way on one connection; answers come in any order. A malformed frame is answered with an \`error\` frame where that is still possible, and the connection is closed.
`;
}

function handshake(): string {
  const { min, max } = protocolVersions;
  const features = protocolFeatures.length === 0 ? "none" : protocolFeatures.join(", ");
  return `## Handshake

Both sides prove that they hold the cluster secret, and the secret itself never travels. Protocol versions: ${min} to ${max}. Features: ${features}.

\`\`\`text
asker  → hello      { versions: { min, max }, features, role, nonce }
server → challenge  { version, features, role, nonce, proof }
asker  → proof      { proof }
server → welcome    {}
\`\`\`

Each proof is HMAC-SHA256, in base64url, over all that \`hello\` and \`challenge\` said, with a key of its own per direction that is made from the secret: so it cannot be reflected, replayed or moved to other terms. Until then frames are at most ${limits.handshakeFrameMaxBytes} bytes, and all of it takes at most ${limits.handshakeTimeoutMs} ms.

Of the versions that both sides speak the server takes the newest. Where there is none it answers \`UNSUPPORTED_VERSION\` with what both speak, and closes. Both sides use the features that both named.
`;
}

function changes(): string {
  return `## How the protocol changes

Processes of two versions of dsm talk to each other while a cluster is rolled from one to the next, and clients are brought up to date later still. test/compat tries this version against kept older ones. What keeps it true:

- A field is added as an optional one. Whoever does not know it leaves it aside, in requests and in responses, at any depth; whoever misses it does what was done before it existed. A field is never removed, renamed or given another meaning.
- A message is added with a number that was never used. A server that does not know it answers \`UNKNOWN_MESSAGE\` to that request alone, and the connection goes on; the asker says so, or does without.
- An error code is added to the table. A peer that does not know it takes it for \`INTERNAL\` and keeps its words, so it never stands where an older peer must act on the code.
- What must not be done with a peer that does not know it (a new value of an enumeration, a field that may not be left aside, another road for bytes, a new condition in a capability, which is refused by whoever does not know it) is a feature: a name in \`protocolFeatures\`, and done only where the session has it.
- What features cannot tell, as a change of the handshake's own messages or a new role, is a new protocol version: \`protocolVersions.max\` is raised, and \`min\` stays for as long as the version before may be in use anywhere.
`;
}

function messageList(): string {
  const sections = Object.entries(messages).map(
    ([name, row]) => `### \`${name}\` (${row.type})

${row.doc}

Asked by ${row.askedBy.join(", ")}; served by ${row.servedBy.join(", ")}.

\`\`\`text
request ${schemaText(row.request)}
response ${schemaText(row.response)}
\`\`\`
`,
  );
  return `## Messages

\`Name\` is 1 to ${limits.userMaxChars} of \`A-Z a-z 0-9 . _ -\` with no leading dot. \`FileId\` is 1 to ${limits.fileIdMaxBytes} bytes of UTF-8 without control characters and without empty, \`.\` or \`..\` segments. \`BlobId\` is 16 lowercase hex digits. Names ending in \`Ms\` are milliseconds (times: since 1970 UTC), in \`Bytes\` bytes. \`FileInfo\` is one version of a file:

\`\`\`text
FileInfo ${schemaText(fileInfoSchema, true)}
\`\`\`

${sections.join("\n")}`;
}

function errors(): string {
  const rows = Object.entries(errorTable).map(([code, { http, exit, retryable, title }]) => [
    `\`${code}\``,
    String(http),
    String(exit),
    retryable ? "yes" : "no",
    title,
  ]);
  return `## Errors

An \`error\` frame carries \`{ code, message, remedy? }\`. The same codes stand in the problem JSON of HTTP (RFC 9457) and decide the exit code of the CLI. Retry says whether the same request may succeed later.

${markdownTable(["code", "HTTP", "exit", "retry", "title"], rows)}
`;
}

function limitList(): string {
  const rows = Object.entries(limits).map(([name, value]) => [`\`${name}\``, String(value)]);
  return `## Limits

What no option can change; the units stand in the names.

${markdownTable(["limit", "value"], rows)}
`;
}
