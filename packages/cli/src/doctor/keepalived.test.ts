import { expect, test } from "bun:test";
import { virtualAddresses } from "./keepalived.ts";

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
