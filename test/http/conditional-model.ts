/** Whether a condition holds, or the header is not there. */
export type Truth = true | false | undefined;

/** What the five headers of RFC 9110, section 13.1, say of the present version. */
export interface Conditions {
  readonly ifMatch: Truth;
  readonly ifUnmodifiedSince: Truth;
  readonly ifNoneMatch: Truth;
  readonly ifModifiedSince: Truth;
  readonly ifRange: Truth;
}

/** The steps of RFC 9110, section 13.2.2, for a GET or HEAD of a file that is there. */
export function statusByModel(
  method: "GET" | "HEAD",
  conditions: Conditions,
  rangeIsThere: boolean,
): 200 | 206 | 304 | 412 {
  const { ifMatch, ifUnmodifiedSince, ifNoneMatch, ifModifiedSince, ifRange } = conditions;
  // 1. "When recipient is the origin server and If-Match is present"
  if (ifMatch === false) return 412;
  // 2. "… If-Match is not present, and If-Unmodified-Since is present"
  if (ifMatch === undefined && ifUnmodifiedSince === false) return 412;
  // 3. "When If-None-Match is present … if false for GET/HEAD, respond 304"
  if (ifNoneMatch === false) return 304;
  // 4. "When the method is GET or HEAD, If-None-Match is not present, and If-Modified-Since is"
  if (ifNoneMatch === undefined && ifModifiedSince === false) return 304;
  // 5. "When the method is GET and both Range and If-Range are present … if true and the Range is
  //    applicable, respond 206; otherwise, ignore the Range header field and respond 200"
  if (method === "GET" && rangeIsThere && ifRange !== false) return 206;
  // 6.
  return 200;
}
