const monthNames = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");
const shortDay = "(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)";
const longDay = "(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day";
const month = `(?<month>${monthNames.join("|")})`;
const time = "(?<hour>[0-9]{2}):(?<minute>[0-9]{2}):(?<second>[0-9]{2})";

// RFC 9110, section 5.6.7: the one form to send and the two obsolete ones to understand.
const forms = [
  new RegExp(`^${shortDay}, (?<day>[0-9]{2}) ${month} (?<year>[0-9]{4}) ${time} GMT$`),
  new RegExp(`^${longDay}, (?<day>[0-9]{2})-${month}-(?<year>[0-9]{2}) ${time} GMT$`),
  new RegExp(`^${shortDay} ${month} (?<day>[0-9 ][0-9]) ${time} (?<year>[0-9]{4})$`),
];

/**
 * Seconds since 1970 UTC of an HTTP-date (RFC 9110, section 5.6.7), or undefined when it is none.
 * `nowMs` decides the century of a year of two digits.
 */
export function parseHttpDate(text: string, nowMs: number = Date.now()): number | undefined {
  for (const form of forms) {
    const parts = form.exec(text)?.groups;
    if (parts !== undefined) return secondsOf(parts, nowMs);
  }
  return undefined;
}

/** The IMF-fixdate of a time, rounded down to the second. */
export function formatHttpDate(timeMs: number): string {
  return new Date(timeMs).toUTCString();
}

function secondsOf(parts: Record<string, string>, nowMs: number): number | undefined {
  const part = (name: string) => Number(parts[name]);
  const monthIndex = monthNames.indexOf(parts["month"] ?? "");
  const yearText = parts["year"] ?? "";
  const year = yearText.length === 2 ? nearestYear(Number(yearText), nowMs) : Number(yearText);
  // A second of 60 is a leap second (RFC 5322, section 3.3); Date takes it for the next minute.
  if (part("hour") > 23 || part("minute") > 59 || part("second") > 60) return undefined;
  const midnight = new Date(0);
  midnight.setUTCFullYear(year, monthIndex, part("day"));
  if (midnight.getUTCDate() !== part("day")) return undefined;
  return midnight.getTime() / 1000 + part("hour") * 3600 + part("minute") * 60 + part("second");
}

/** RFC 9110, section 5.6.7: a date over 50 years ahead is of the century before. */
function nearestYear(twoDigits: number, nowMs: number): number {
  const thisYear = new Date(nowMs).getUTCFullYear();
  const year = thisYear - (thisYear % 100) + twoDigits;
  if (year > thisYear + 50) return year - 100;
  return year;
}
