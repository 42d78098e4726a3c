import { HostBox } from "../host-box.ts";

/** A test that makes hosts and is killed: `killed-test.ts FOLDER`. */
const [mark = ""] = process.argv.slice(2);
const box = await HostBox.open({ hosts: 2 });
for (const host of box.hosts) {
  await host.run(["mount", "-t", "tmpfs", "none", mark]);
  // A daemon has nobody who would end it.
  await host.run(["sh", "-c", `setsid perl -e 'sleep 1000' ${mark} >/dev/null 2>&1 &`]);
}
console.log("ready");
await new Promise(() => {});
