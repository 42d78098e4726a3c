import { expect, test } from "bun:test";
import { join, resolve } from "node:path";
import { tempDir } from "@dsm/testkit";
import { checkKeepalived, virtualAddresses } from "./keepalived.ts";
import { keepalivedConfig } from "./keepalived-config.ts";

const deployed = resolve(import.meta.dir, "../../../../deploy/keepalived/keepalived.conf");

test("what is deployed is read with its files and its values, and found to be well", async () => {
  const config = await keepalivedConfig(deployed);
  expect(virtualAddresses(config)).toEqual(["10.0.0.100", "10.0.0.101"]);
  expect(config).toContain("http://127.0.0.1:8080/readyz");
  const seen = await checkKeepalived(deployed);
  expect(seen.map(({ what }) => what).join()).not.toMatch(/no virtual address|track_script/);
});

test("files that include one another end, and one that is missing is left out", async () => {
  await using dir = await tempDir();
  const path = join(dir.path, "keepalived.conf");
  await Bun.write(path, "include more-*.conf\ninclude missing.conf\n");
  await Bun.write(join(dir.path, "more-1.conf"), "include keepalived.conf # again\n$A=1\nx ${A}\n");
  expect(await keepalivedConfig(path)).toContain("x 1");
});

test("virtual addresses of all instances, with and without prefix and device", () => {
  const config = `vrrp_instance gateways {
  virtual_ipaddress {
    10.0.0.100/24 dev eth0
    fd00::100/64
  }
}
vrrp_instance trackers {
  track_script { tracker }
  virtual_ipaddress { 10.0.0.101 }
}`;
  expect(virtualAddresses(config)).toEqual(["10.0.0.100", "fd00::100", "10.0.0.101"]);
  expect(virtualAddresses("global_defs { }")).toEqual([]);
});
