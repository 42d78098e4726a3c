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

let thisSecond = 0;
let thisSecondText = "";

/** The present time as it stands in Date, made once a second. */
export function httpDateNow(): string {
  const second = Math.floor(Date.now() / 1000);
  if (second !== thisSecond) {
    thisSecond = second;
    thisSecondText = formatHttpDate(second * 1000);
  }
  return thisSecondText;
}

function secondsOf(parts: Record<string, string>, nowMs: number): number | undefined {
  const part = (name: string) => Number(parts[name]);
  // A second of 60 is a leap second (RFC 5322, section 3.3); Date takes it for the next minute.
  if (part("hour") > 23 || part("minute") > 59 || part("second") > 60) return undefined;
  const secondOfDay = part("hour") * 3600 + part("minute") * 60 + part("second");
  const monthIndex = monthNames.indexOf(parts["month"] ?? "");
  const inYear = (year: number) => secondsAt(year, monthIndex, part("day"), secondOfDay);
  if (parts["year"]?.length !== 2) return inYear(part("year"));
  const now = new Date(nowMs);
  const year = now.getUTCFullYear() - (now.getUTCFullYear() % 100) + part("year");
  // RFC 9110, section 5.6.7: what appears to be over 50 years ahead is of the century before.
  const latest = now.setUTCFullYear(now.getUTCFullYear() + 50) / 1000;
  const seconds = inYear(year) ?? inYear(year - 100);
  return seconds !== undefined && seconds > latest ? inYear(year - 100) : seconds;
}

/** Undefined for a day that its month does not have. */
function secondsAt(
  year: number,
  monthIndex: number,
  day: number,
  secondOfDay: number,
): number | undefined {
  const midnight = new Date(0);
  midnight.setUTCFullYear(year, monthIndex, day);
  if (midnight.getUTCDate() !== day) return undefined;
  return midnight.getTime() / 1000 + secondOfDay;
}
