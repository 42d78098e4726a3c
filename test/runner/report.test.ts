import { expect, test } from "bun:test";
import { countErrors, countReport } from "./report.ts";

// As `bun test` 1.4.5 writes it, a name with > in quotes among it.
const junit = `<testsuites name="bun test" tests="4" failures="1" skipped="2">
  <testcase name="ok" classname="a &lt;x>" file="a.test.ts" line="2" assertions="0" />
  <testcase name="no &quot;mpv&quot;" classname="a" file="a.test.ts" line="2">
    <skipped />
  </testcase>
  <testcase name="later" classname="" file="b.test.ts"><skipped /></testcase>
  <testcase name="bad" classname="" file="b.test.ts">
    <failure type="AssertionError" message="1">x</failure>
  </testcase>
</testsuites>`;

test("a report is counted case by case, and a skip is named", () => {
  expect(countReport(junit)).toEqual({
    passed: 1,
    failed: 1,
    skips: ['a.test.ts: a > no "mpv"', "b.test.ts: later"],
  });
});

test("no report counts nothing", () => {
  expect(countReport("")).toEqual({ passed: 0, failed: 0, skips: [] });
});

test("errors outside of tests come from the summary at the end", () => {
  expect(countErrors(" 2 pass\n 4 fail\n \u001b[31m1 error\u001b[0m\n")).toBe(1);
  expect(countErrors(" 2 pass\n 0 fail\n")).toBe(0);
});
