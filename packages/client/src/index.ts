export { type ClientOptions, DsmClient, type OpenRequest } from "./client.ts";
export type { LocatedFile, LocateFileOptions } from "./located-file.ts";
export type { DeleteRequest } from "./delete-file.ts";
export type { ReadObserver } from "./read-observer.ts";
export type { EmptyRequest } from "./empty-trash.ts";
export type { RestoreRequest } from "./restore-file.ts";
export type { Uploaded, UploadRequest } from "./upload.ts";
export { bytesSource, fileSource, streamSource, type UploadSource } from "./upload-source.ts";
