import { resolve } from "node:path";
import {
  hasAddress,
  type Host,
  HostBox,
  type HostProcess,
  startKeepalived,
  until,
} from "@dsm/testkit";

const folder = resolve(import.meta.dir, "../../deploy/keepalived");
const dsm = resolve(import.meta.dir, "../../bin/dsm");

interface MovingAddressesShape {
  readonly box: HostBox;
  /** Names of hosts. */
  readonly gateways: readonly string[];
  readonly trackers: readonly string[];
  readonly secretFile: string;
}

/** The addresses of the gateways and of the trackers, as deploy/keepalived keeps them. */
export class MovingAddresses {
  static readonly gateways = HostBox.virtualAddress(1);
  static readonly trackers = HostBox.virtualAddress(2);
  readonly #shape: MovingAddressesShape;
  readonly #keepalived = new Map<string, HostProcess>();

  constructor(shape: MovingAddressesShape) {
    this.#shape = shape;
  }

  /** Starts Keepalived on all their hosts. Resolves when each address is somewhere. */
  async keep(): Promise<void> {
    const { box, gateways, trackers } = this.#shape;
    for (const name of new Set([...gateways, ...trackers])) await this.keepOn(box.host(name));
    await this.holder(MovingAddresses.trackers);
    await this.holder(MovingAddresses.gateways);
  }

  /** Starts Keepalived on one host, also after that was off. */
  async keepOn(host: Host): Promise<void> {
    const { gateways, trackers, secretFile } = this.#shape;
    const started = await startKeepalived(host, {
      folder,
      values: {
        GATEWAYS_ADDRESS: `${MovingAddresses.gateways}/24`,
        TRACKERS_ADDRESS: `${MovingAddresses.trackers}/24`,
        CHECK_USER: "root",
        DSM: dsm,
        SECRET_FILE: secretFile,
      },
      files: {
        "dsm-gateway-peers.conf": this.#peers(gateways),
        "dsm-tracker-peers.conf": this.#peers(trackers),
      },
    });
    this.#keepalived.set(host.name, started);
  }

  /** Who has the address, by name. */
  async holders(address: string): Promise<string[]> {
    const { hosts } = this.#shape.box;
    const found = await Promise.all(
      hosts.map(async (host) => ((await hasAddress(host, address)) ? host.name : undefined)),
    );
    return found.flatMap((name) => name ?? []);
  }

  /** Waits until one host alone has it. */
  holder(address: string): Promise<string> {
    return until(`one host has ${address}`, async () => {
      const found = await this.holders(address);
      return found.length === 1 ? found[0] : undefined;
    });
  }

  /** What Keepalived on that host has logged, as `journalctl -u keepalived` shows it. */
  log(host: string): string {
    const running = this.#keepalived.get(host);
    if (running === undefined) throw new Error(`Keepalived was not started on ${host}`);
    return running.stderr();
  }

  /** `@^NAME ADDRESS` for each: who they are to one another. */
  #peers(names: readonly string[]): string {
    return names.map((name) => `@^${name} ${this.#shape.box.host(name).address}\n`).join("");
  }
}
