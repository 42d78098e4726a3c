/** A way in which nginx 1.22 and dsm differ. */
interface Departure {
  readonly nginx: string;
  readonly dsm: string;
  /** Of RFC 9110, with what it says. */
  readonly decidedBy: string;
}

/**
 * Every reason for which the two may answer differently. The model of nginx names those that had
 * a part in an answer; one that never has is struck off by the test.
 */
export const departures = {
  "a range with HEAD": {
    nginx: "206 or 416, as to a GET",
    dsm: "200",
    decidedBy: "14.2: a server MUST ignore a Range with a method for which it is not defined: GET",
  },
  "two Range lines": {
    nginx: "takes the first",
    dsm: "ignores both",
    decidedBy: "5.3: of a field that is no list a sender MUST NOT send two lines; 14.2: MAY ignore",
  },
  "what is no set of ranges": {
    nginx: "416",
    dsm: "200, as without it",
    decidedBy: "14.2: MAY ignore or reject an invalid ranges-specifier; 15.5.17 is for valid ones",
  },
  "empty elements of a list": {
    nginx: "416",
    dsm: "passes over them",
    decidedBy: "5.6.1.2: a recipient MUST parse and ignore a reasonable number of empty elements",
  },
  "blanks inside a range": {
    nginx: "passes over them",
    dsm: "200, as without it",
    decidedBy: '14.1.1: int-range = first-pos "-" [ last-pos ] has no place for them',
  },
  "the last before the first": {
    nginx: "passes over that range",
    dsm: "200, as without the header",
    decidedBy: "14.1.1: an int-range is invalid if its last-pos is less than its first-pos",
  },
  "numbers past 2^63": {
    nginx: "416",
    dsm: "means the end of the file, or what lies behind it",
    decidedBy: "14.1.2: if last-pos is greater than or equal to the length, the remainder is meant",
  },
  "a range of an empty file": {
    nginx: "200",
    dsm: "416 to `0-`, 200 to a suffix",
    decidedBy: "14.1.2: satisfiable if first-pos is less than the length, or the suffix is not 0",
  },
  "ranges with more bytes than the file": {
    nginx: "200 with the whole",
    dsm: "joins them",
    decidedBy: "15.3.7.2: a server MAY coalesce any of the ranges that overlap",
  },
  "parts that overlap or lie close": {
    nginx: "sends each, bytes twice too",
    dsm: "joins them under 256 bytes",
    decidedBy: "15.3.7.2: … or that are separated by a gap smaller than the overhead of a part",
  },
  "more than 64 ranges": {
    nginx: "serves all",
    dsm: "200, as without the header",
    decidedBy: "14.2: a server MAY ignore a Range with many small ranges; 17.15: SHOULD",
  },
  "fewer parts than were asked for": {
    nginx: "sends all",
    dsm: "the first, where a body must have a length and does not fit into memory",
    decidedBy: "15.3.7: a server might want to send only a subset of the data requested",
  },
  "Accept-Ranges on a 206": {
    nginx: "leaves it out",
    dsm: "sends it",
    decidedBy: "14.3: sent in a response to indicate support; our contract has it everywhere",
  },
  "If-Unmodified-Since beside If-Match": {
    nginx: "asks both",
    dsm: "asks If-Match alone",
    decidedBy: "13.1.4: a recipient MUST ignore If-Unmodified-Since if If-Match is there",
  },
  "If-Unmodified-Since without a date": {
    nginx: "412",
    dsm: "ignores it",
    decidedBy: "13.1.4: MUST ignore the header if its value is not a valid HTTP-date",
  },
  "If-Modified-Since beside If-None-Match": {
    nginx: "304 only when both say so",
    dsm: "asks If-None-Match alone",
    decidedBy: "13.1.3: a recipient MUST ignore If-Modified-Since if If-None-Match is there",
  },
  "If-Modified-Since after Last-Modified": {
    nginx: "200: it compares for equality (if_modified_since exact, the default)",
    dsm: "304",
    decidedBy: "13.1.3: false if the last modification is earlier or equal to the date",
  },
} as const satisfies Record<string, Departure>;

export type DepartureName = keyof typeof departures;
